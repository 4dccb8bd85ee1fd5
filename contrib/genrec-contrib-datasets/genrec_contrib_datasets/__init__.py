"""Public data sets: `genrec data get NAME`.

- `known`: the data sets by name: files, licence, and the arguments of `genrec data import` that read them.
- `download`: one file over the network, resumable and checked.
- `command`: what is typed.
"""
