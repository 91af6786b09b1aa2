"""The attribution methods, one a file. Importing this package imports every file, and so fills METHODS.

To add a method, write `camviz/methods/NAME.py` with one function NAME under `@method(...)`, and a test of its numbers
in `tests/methods/test_NAME.py`. No list has to be extended. `NAME(net, x, score[, layer], **knobs)` keeps a contract:

- `net` is shared by threads. Run it through `camviz.tape` only (`record`, `activations`, `input_gradient`, `forward`)
  and change nothing on it.
- `x` is (B, C, H, W), normalized. The map of each image is independent of the others in the batch.
- `score` turns class scores (B, K) into one number for each image, (B,). The method never sees class numbers.
- The result is finite, without gradient, of the type of x, and the same every time (random numbers: `runtime.rng.Rng`
  and a knob `seed`): (B, h, w), or signed (B, C, H, W) with `pixels=True`.
- **Without a parameter `progress`** the method takes at most two forward passes of each image, and **its first forward
  pass and its first call of `score` are those of x itself**: `explain` reads the predicted class and its probability
  off this call, so that a map takes no extra pass.
- **With a keyword-only parameter `progress: Progress | None = None`** it may take any number of passes of any input;
  `explain` then makes a pass of its own. The method calls `progress(done, total)` after each batch, up to
  `done == total`; what `progress` raises ends the method.
- Knobs are keyword-only parameters with a default, a help text, and a `Range`, a `Literal` or `Choices`.
- `reads` and `caution` of `@method` say in one or two sentences what its heatmap shows, and what not.
- CamvizError says what the method needs if it cannot explain this network or this score.

The first line of the docstring is the tooltip; the formula, shapes and caveats follow. `tests/methods/test_contract.py`
checks all this for every method.
"""

import importlib
import pkgutil

from camviz.registry import METHODS
from camviz.runtime import extensions

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
extensions.load_into(METHODS, extensions.METHODS)  # those of other packages
