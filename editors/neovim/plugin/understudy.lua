--- :Understudy explain [CODE], :Understudy fix
if vim.g.loaded_understudy then
  return
end
vim.g.loaded_understudy = true

vim.api.nvim_create_user_command('Understudy', function(command)
  local what, code = unpack(command.fargs)
  if what == 'explain' then
    require('understudy').explain(code)
  elseif what == 'fix' then
    require('understudy').fix()
  else
    vim.notify(('understudy: no command %q; there are explain and fix'):format(what), vim.log.levels.ERROR)
  end
end, {
  nargs = '+',
  desc = 'Understudy: explain a rule, apply all safe fixes',
  complete = function(lead, line)
    local words = #vim.split(line, '%s+')
    return words <= 2 and vim.tbl_filter(function(word)
      return vim.startswith(word, lead)
    end, { 'explain', 'fix' }) or {}
  end,
})
