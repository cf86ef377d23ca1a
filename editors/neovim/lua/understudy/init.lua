--- Understudy in Neovim: the configuration of the language server, and what its commands do.
local M = {}

--- The server's configuration for |vim.lsp.config()|. Settings are the keys of [tool.understudy].
M.config = {
  cmd = { 'understudy', 'server' },
  filetypes = { 'python' },
  root_markers = { 'understudy.toml', 'pyproject.toml', 'pytest.ini', 'setup.cfg', 'tox.ini', '.git' },
  settings = { understudy = vim.empty_dict() },
  -- Neovim 0.12 answers "ask again" with a question about the workspace, whose answer it does not show in buffers that
  -- it asked about before: what an edit of another file or a setting changes would stay. So the server shall push.
  capabilities = { workspace = { diagnostics = { refreshSupport = false } } },
}

--- Starts the server for every Python file. On Neovim 0.11 and newer this is
--- |vim.lsp.config()| and |vim.lsp.enable()|; on 0.10 it is |vim.lsp.start()|.
--- @param options table? what is different from `M.config`
function M.setup(options)
  options = options or {}
  if vim.lsp.config ~= nil then
    vim.lsp.config('understudy', options)
    vim.lsp.enable('understudy')
    return
  end
  local config = vim.tbl_deep_extend('force', M.config, options)
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('understudy', {}),
    pattern = config.filetypes,
    callback = function(event)
      M.start(config, event.buf)
    end,
  })
end

--- For Neovim 0.10: attaches the server of the buffer's project, started when it is the first.
--- @param config table
--- @param buffer integer
function M.start(config, buffer)
  local start = vim.deepcopy(config)
  start.name = 'understudy'
  start.root_dir = vim.fs.root(buffer, config.root_markers)
  start.filetypes, start.root_markers = nil, nil
  start.capabilities = vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), start.capabilities)
  return vim.lsp.start(start, { bufnr = buffer })
end

--- The client that is attached to a buffer.
--- @param buffer integer? the current one when left out
function M.client(buffer)
  return vim.lsp.get_clients({ name = 'understudy', bufnr = buffer or 0 })[1]
end

--- Applies all safe fixes to the current file.
function M.fix()
  vim.lsp.buf.code_action({ context = { only = { 'source.fixAll.understudy' }, diagnostics = {} }, apply = true })
end

--- The codes of the findings under the cursor.
local function codes_here()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local found = {}
  for _, finding in ipairs(vim.diagnostic.get(0, { lnum = row - 1 })) do
    if finding.source == 'understudy' and finding.col <= column and column <= finding.end_col then
      table.insert(found, finding.code)
    end
  end
  return found
end

--- Shows a rule's page in a split.
--- @param code string? the one of the finding under the cursor when left out
function M.explain(code)
  code = code or codes_here()[1]
  if code == nil then
    vim.notify('understudy: there is no finding here', vim.log.levels.WARN)
    return
  end
  local client = M.client()
  local program = client ~= nil and client.config.cmd[1] or M.config.cmd[1]
  local result = vim.system({ program, 'rule', code }, { text = true }):wait()
  if result.code ~= 0 then
    vim.notify(vim.trim(result.stderr), vim.log.levels.ERROR)
    return
  end
  vim.cmd.new()
  vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile = 'nofile', 'wipe', false
  vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(vim.trim(result.stdout), '\n'))
  vim.bo.filetype, vim.bo.modifiable = 'markdown', false
end

return M
