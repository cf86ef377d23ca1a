"""What an expression is: names followed through imports, classes and their bases."""
