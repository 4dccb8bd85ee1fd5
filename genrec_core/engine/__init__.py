"""Language models: making them, writing samples for them, training them, decoding from them.

The only part of the core that imports torch and transformers. It needs the `engine` extra
(`pip install genrec-core[engine]`); nothing below it does.

Importing it before torch asks OpenMP's threads to sleep while they wait. By default they spin, and where
other programs want the same cores a small model then trains four to eighteen times slower (measured on
two cores). Whoever sets OMP_WAIT_POLICY is obeyed.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
