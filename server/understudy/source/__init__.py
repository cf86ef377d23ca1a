"""Text, lines, columns, encodings, parsing with recovery and suppression comments. Knows no project."""
