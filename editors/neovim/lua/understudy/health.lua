--- :checkhealth understudy
local M = {}

local function check_neovim()
  if vim.fn.has('nvim-0.11') == 1 then
    vim.health.ok('Neovim has vim.lsp.enable()')
  elseif vim.fn.has('nvim-0.10') == 1 then
    vim.health.ok("Neovim 0.10: call require('understudy').setup()")
  else
    vim.health.error('Neovim 0.10 or newer is needed')
  end
end

--- @return string the program that starts the server
local function program()
  local config = vim.lsp.config ~= nil and vim.lsp.config['understudy'] or require('understudy').config
  local client = vim.lsp.get_clients({ name = 'understudy' })[1]
  return (client ~= nil and client.config or config).cmd[1]
end

local function check_program()
  local name = program()
  if vim.fn.executable(name) == 0 then
    vim.health.error(('`%s` is not a program'):format(name), {
      'Install Understudy, or name the program in `cmd`: see :help understudy-setup',
    })
    return
  end
  local result = vim.system({ name, '--version' }, { text = true }):wait()
  if result.code == 0 then
    vim.health.ok(('%s (%s)'):format(vim.trim(result.stdout), vim.fn.exepath(name)))
  else
    vim.health.error(('`%s --version` failed: %s'):format(name, vim.trim(result.stderr)))
  end
end

local function check_clients()
  local clients = vim.lsp.get_clients({ name = 'understudy' })
  if #clients == 0 then
    vim.health.warn('no server is running', { 'Open a Python file. Nothing happens? :help understudy-setup' })
  end
  for _, client in ipairs(clients) do
    local root = client.config.root_dir or 'no folder'
    vim.health.ok(('a server runs for %s, positions in %s'):format(root, client.offset_encoding))
  end
end

function M.check()
  vim.health.start('understudy')
  check_neovim()
  check_program()
  check_clients()
end

return M
