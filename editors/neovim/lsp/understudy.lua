--- For |vim.lsp.enable()| on Neovim 0.11 and newer.
return require('understudy').config
