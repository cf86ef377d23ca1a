const vscode = require('vscode');

exports.activate = (context) => {
  const changed = new vscode.EventEmitter();
  const selected = (scope) => vscode.workspace.getConfiguration('python', scope).get('selected');
  context.subscriptions.push(
    changed,
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('python.selected')) {
        changed.fire({});
      }
    }),
  );
  return {
    environments: {
      onDidChangeActiveEnvironmentPath: changed.event,
      getActiveEnvironmentPath: (scope) => ({ id: selected(scope), path: selected(scope) }),
      // A virtual environment; without one, the system's Python.
      resolveEnvironment: async ({ path }) => ({
        environment: path === '' ? undefined : { type: 'VirtualEnvironment' },
        executable: { uri: vscode.Uri.file(path === '' ? '/usr/bin/python3' : path) },
      }),
    },
  };
};
