"""How a double comes to a test: fixtures, marks, setups, patches. What is said of the tests, beside what happens."""
