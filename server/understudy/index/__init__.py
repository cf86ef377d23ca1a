"""The workspace's files, parsed once per content, and what each module binds."""
