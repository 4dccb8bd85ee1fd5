"""The contract kit: what every component of a kind must keep to, as checks that anyone can run.

`checks/` holds plain functions, chosen by kind and by what a component can do, never by its name. They have
three shells: `runner.check_component` gives results, `contracts` makes a pytest item of each check, and
`genrec check-plugin` prints a line for every component of an installed plugin. `toy`, `toy_model` and
`stub_teacher` are what the checks run on, and good test material for plugins too.
"""
