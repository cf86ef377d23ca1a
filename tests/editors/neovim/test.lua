--- Understudy in this Neovim, with the example backend: `nvim --headless -u NONE -l test.lua` (see run.sh).
--- Every step waits for its condition; the deadline is far beyond what anything needs.

local DEADLINE = 180000
local TEST = vim.env.PROJECT .. '/tests/unit/test_proposal_service.py'
local SERVICE = vim.env.PROJECT .. '/backend/services/proposal_service.py'
local COMMAND = { vim.env.UNDERSTUDY, 'server' }
local NEW = vim.lsp.config ~= nil

local passed, failed = 0, 0

local function test(name, body)
  local ok, message = xpcall(body, debug.traceback)
  passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
  print('\n' .. (ok and 'ok    ' or 'FAILED') .. ' ' .. name .. (ok and '' or '\n' .. message) .. '\n')
end

local function until_true(what, condition)
  local answer
  local done = vim.wait(DEADLINE, function()
    answer = condition()
    return answer ~= nil and answer ~= false
  end, 50)
  assert(done, 'waited in vain for ' .. what)
  return answer
end

local function equal(expected, actual)
  assert(vim.deep_equal(expected, actual), ('expected %s, got %s'):format(vim.inspect(expected), vim.inspect(actual)))
end

local function line(number)
  return vim.api.nvim_buf_get_lines(0, number - 1, number, true)[1]
end

--- The finding that starts at a place; rows and columns as people count them.
local function finding_at(row, column)
  for _, finding in ipairs(vim.diagnostic.get(0)) do
    if finding.lnum == row - 1 and finding.col == column - 1 then
      return finding
    end
  end
end

local function cursor(row, column)
  vim.api.nvim_win_set_cursor(0, { row, column - 1 })
end

local function client()
  return vim.lsp.get_clients({ name = 'understudy', bufnr = 0 })[1]
end

--- The text of all floating windows.
local function floating()
  local texts = {}
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(window).relative ~= '' then
      local buffer = vim.api.nvim_win_get_buf(window)
      table.insert(texts, table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\n'))
    end
  end
  return table.concat(texts, '\n')
end

vim.opt.runtimepath:append(vim.env.PLUGIN)
vim.cmd('filetype on')
vim.cmd('runtime! plugin/understudy.lua')
if NEW then
  vim.lsp.config('understudy', { cmd = COMMAND })
  vim.lsp.enable('understudy')
else
  require('understudy').setup({ cmd = COMMAND })
end

test('the server is attached to a Python file, and knows the project', function()
  vim.cmd.edit(TEST)
  until_true('the client', client)
  equal(vim.env.PROJECT, client().config.root_dir)
end)

test('findings are diagnostics, at their place', function()
  local finding = until_true('the finding', function()
    return finding_at(16, 31)
  end)
  equal('US108', finding.code)
  equal('understudy', finding.source)
  equal(vim.diagnostic.severity.ERROR, finding.severity)
  equal(38 - 1, finding.end_col)
  local related = finding.user_data.lsp.relatedInformation
  equal('made here: a MagicMock', related[1].message)
  equal(vim.uri_from_fname(SERVICE), related[2].location.uri)
end)

test('hover explains the rule', function()
  cursor(16, 33)
  vim.lsp.buf.hover()
  until_true('the hover window', function()
    return floating():find('mock-awaited-by-callee', 1, true)
  end)
  vim.cmd('silent! fclose!')
end)

test(':Understudy explain shows the page of the rule under the cursor', function()
  cursor(16, 33)
  vim.cmd('Understudy explain')
  equal('markdown', vim.bo.filetype)
  assert(line(1):find('US108', 1, true), line(1))
  vim.cmd.close()
end)

test('a code action mends the test, and the finding goes', function()
  cursor(16, 33)
  vim.lsp.buf.code_action({
    filter = function(action)
      return action.title:find('AsyncMock', 1, true) ~= nil
    end,
    apply = true,
  })
  until_true('the edit', function()
    return line(15) == '    session = AsyncMock()'
  end)
  until_true('the finding to go', function()
    return finding_at(16, 31) == nil
  end)
end)

test(':Understudy fix applies the safe fixes', function()
  assert(finding_at(86, 47) and finding_at(98, 33), 'the findings that have safe fixes are gone')
  vim.cmd('Understudy fix')
  until_true('the edits', function()
    local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\n')
    return text:find('session.execute.return_value = MagicMock()', 1, true)
      and text:find('db.execute.return_value = MagicMock()', 1, true)
  end)
  until_true('their findings to go', function()
    return vim.tbl_isempty(vim.tbl_filter(function(finding)
      return finding.code == 'US109'
    end, vim.diagnostic.get(0)))
  end)
end)

test('settings reach the running server', function()
  until_true('a finding', function()
    return #vim.diagnostic.get(0) > 0
  end)
  client().settings = { understudy = { ignore = { 'US1' } } }
  local message = { 'workspace/didChangeConfiguration', { settings = client().settings } }
  if NEW then
    client():notify(unpack(message))
  else
    client().notify(unpack(message))
  end
  local left
  local gone = vim.wait(DEADLINE, function()
    left = vim.tbl_map(function(finding) return finding.code .. ' ' .. finding.message end, vim.diagnostic.get(0))
    return #left == 0
  end, 50)
  assert(gone, 'left: ' .. table.concat(left, '\n'))
end)

test('inlay hints name the kind of mock that a patch injects', function()
  client().settings = { understudy = vim.empty_dict() }
  vim.cmd.edit(vim.env.PROJECT .. '/tests/unit/test_browser_service.py')
  until_true('the client', client)
  vim.lsp.inlay_hint.enable(true, { bufnr = 0 })
  local row = vim.fn.search([[with patch("tools.browser_tool.execute_browser_action") as execute:]], 'w')
  assert(row > 0)
  until_true('the hint', function()
    for _, each in ipairs(vim.lsp.inlay_hint.get({ bufnr = 0 })) do
      local hint = each.inlay_hint
      if hint.position.line == row - 1 then
        equal(': AsyncMock', hint.label)
        equal(#line(row) - 1, hint.position.character)
        return true
      end
    end
  end)
end)

test('the definition of a name in a patch string', function()
  vim.fn.search([[execute_browser_action") as execute:]], 'w')
  vim.lsp.buf.definition()
  until_true('the definition', function()
    return vim.fs.basename(vim.api.nvim_buf_get_name(0)) == 'browser_tool.py'
  end)
  assert(vim.startswith(vim.api.nvim_get_current_line(), 'async def execute_browser_action('))
  vim.cmd.buffer('#')
end)

test('renaming in a patch string renames what it names, there and everywhere', function()
  local row = vim.fn.search([[execute_browser_action") as execute:]], 'w')
  vim.lsp.buf.rename('run_browser_action')
  until_true('the string', function()
    return line(row):find('"tools.browser_tool.run_browser_action"', 1, true)
  end)
  local definition = vim.fn.bufadd(vim.env.PROJECT .. '/backend/tools/browser_tool.py')
  vim.fn.bufload(definition)
  local text = table.concat(vim.api.nvim_buf_get_lines(definition, 0, -1, true), '\n')
  assert(text:find('async def run_browser_action(', 1, true), 'the function has its old name')
  assert(not text:find('execute_browser_action', 1, true), 'a use has its old name')
end)

test('a rename that cannot be is refused with a reason', function()
  vim.fn.search([[run_browser_action") as execute:]], 'w')
  local params = vim.lsp.util.make_position_params(0, client().offset_encoding)
  params.newName = 'not a name'
  -- Neovim tells the server a moment later what the rename before has changed in other buffers.
  until_true('the refusal', function()
    local reply = vim.lsp.buf_request_sync(0, 'textDocument/rename', params, DEADLINE)
    local _, answer = next(reply or {})
    -- 0.10 calls it `error`.
    local refusal = answer and (answer.err or answer.error)
    return refusal and refusal.message:find("'not a name' is not a name", 1, true)
  end)
end)

test(':checkhealth understudy', function()
  vim.cmd('checkhealth understudy')
  local report = until_true('the report', function()
    local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), '\n')
    return text:find('a server runs for', 1, true) and text
  end)
  assert(report:find('understudy %d+%.%d+%.%d+'), report)
  assert(not report:find('ERROR', 1, true), report)
end)

print(('%s: %d passed, %d failed\n'):format(tostring(vim.version()), passed, failed))
for _, each in ipairs(vim.lsp.get_clients()) do
  each:stop(true)
end
os.exit(failed == 0 and 0 or 1)
