"""Answer a question: run its method, and return the attribution with its cost."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import scores
from ..acceleration.memory_layout import in_fastest_layout
from ..edits.edit import Edit, check_edit
from ..errors import CamvizError, LayerError, choice
from ..images import ImageSource
from ..messages import Message
from ..models import Model
from ..models.geometry import Fit, check_fit
from ..registry import METHODS, Method
from ..runtime.devices import synchronize, synchronized
from ..runtime.progress import Progress, check_progress
from ..scores import Score, logit, logit_of
from ..tape import counting_passes, forward, is_compiled, needs_batches_of_one
from ..targets import Target, resolve_target
from .explanation import Explanation, Result
from .question import Fusion, Question
from .recipe import LayerInput, ModelInput, read_image, read_layers, read_model


def explain(
    model: ModelInput,
    image: ImageSource | Mapping[str, Any],
    method: str | Method | Callable[..., Any] = "grad_cam",
    target: Target = None,
    layer: LayerInput = None,
    *,
    fit: Fit = "crop",
    fuse: Fusion = "mean",
    edit: Edit | Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **knobs: Any,
) -> Explanation:
    """Explain one image: the model's prediction (or `target`), by one method, at one layer.

    `model`: a Model, an nn.Module (loaded by load_model with its defaults), or a name of the catalog. `image`: a
    file, its bytes, a PIL image, or an array or tensor of 0 to 255 (uint8) or 0 to 1. `method`: a key of METHODS.
    `target`: None = the predicted class, an index, a label, or a Score. `layer`: a dotted name or a module, None = the
    model's default; several, in a list or separated by commas, are explained one by one and fused by `fuse`: the
    "mean", the "max" or the "product" of the maps, each scaled to a maximum of 1. `fit`: "crop", "pad" or "stretch".
    `edit`: a part of the view that is replaced first (`camviz.edits.Edit`). `progress(done, total)` is called by
    methods of many passes; an exception from it ends the method. `knobs`: the method's settings. `model`, `image`,
    `target`, `layer` and `edit` may also be the values of a recipe (`explanation.recipe.to_recipe`), so that
    `explain(**recipe)` reproduces it. Raises CamvizError for invalid input.
    """
    check_progress(progress)
    return answer(ask(model, image, method, target, layer, fit=fit, fuse=fuse, edit=edit, **knobs), progress)


def ask(
    model: ModelInput,
    image: ImageSource | Mapping[str, Any],
    method: str | Method | Callable[..., Any] = "grad_cam",
    target: Target = None,
    layer: LayerInput = None,
    *,
    fit: Fit = "crop",
    fuse: Fusion = "mean",
    edit: Edit | Mapping[str, Any] | None = None,
    **knobs: Any,
) -> Question:
    """Return the question for these arguments of `explain`, with names, labels, files and recipes resolved."""
    found = find_method(method)
    settings = found.settings(knobs)
    loaded, notes = read_model(model)
    return Question(
        model=loaded,
        image=read_image(image),
        method=found,
        settings=settings,
        layers=layers_for(loaded, found, read_layers(layer, loaded)),
        score=resolve_target(loaded, target),
        fit=check_fit(fit),
        fusion=_fusion(fuse),
        edit=check_edit(edit, read_image),
        notes=(*loaded.notes, *notes),
    )


def layers_for(model: Model, method: Method, names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the layers that a method explains at: the given ones, or the model's default layer if it needs one."""
    if method.layer == "none":
        return ()
    if not names and method.layer == "required":
        if not model.default_layer:
            hidden = Message(", as its layers are hidden in TorchScript") if is_compiled(model.net) else ""
            raise LayerError(
                "{model} has no layer of feature maps{hidden}, which {method} needs: use a method without a layer, "
                "such as occlusion",
                model=model.name,
                hidden=hidden,
                method=method.title,
            )
        names = (model.default_layer,)
    return tuple(model.layer(name).name for name in names or ())


def answer(question: Question, progress: Progress | None = None) -> Explanation:
    """Compute one explanation; `progress(done, total)` is called by methods of many passes. Raises CamvizError."""
    model = question.model
    x = model.normalize(question.view)
    started = time.perf_counter()
    with (
        model.running(),
        counting_passes() as counts,
        scores.using_head(model.probabilities),
        synchronized(x.device, progress) as report,
    ):
        score = _score_of(question, x)
        found = question.maps(model.net, x, score, report)
        class_scores = score.class_scores_of(model.net, x)
    return _explanation(
        question,
        model.probabilities(class_scores)[0],
        model.in_colors(found)[0],
        seconds=time.perf_counter() - started,
        forward_passes=counts.forward_passes,
        backward_passes=counts.backward_passes,
        notes=(*question.notes, *counts.notes),
    )


def answer_batch(questions: Sequence[Question]) -> tuple[list[Explanation], Tensor]:
    """Answer questions that differ only in their images, in one batch; return the class scores (B, K) too.

    For methods of one or two passes. The predicted classes come from the method's own pass, so Grad-CAM takes one pass.
    Raises CamvizError.
    """
    first = questions[0]
    model = first.model
    if first.method.many_passes:
        raise CamvizError(
            "{method} takes many passes for each image: answer its questions one by one", method=first.method.title
        )
    if len(questions) > 1 and not _fit_one_batch(questions):
        answers, one_by_one = zip(*(answer_batch([question]) for question in questions), strict=True)
        return [explanation for (explanation,) in answers], torch.cat(one_by_one)
    x = in_fastest_layout(torch.cat([model.normalize(question.view) for question in questions]))
    started = time.perf_counter()
    with model.running(), counting_passes() as counts, scores.using_head(model.probabilities):
        score = _score_of(first, x)
        found = first.maps(model.net, x, score)
        class_scores = score.class_scores_of(model.net, x)
    if counts.notes and len(questions) > 1:  # a note is about one image, and must not be given to the others
        return [answer_batch([question])[0][0] for question in questions], class_scores
    attributions, probabilities = model.in_colors(found), model.probabilities(class_scores)
    synchronize(x.device)
    seconds = (time.perf_counter() - started) / len(questions)
    explanations = [
        _explanation(
            question,
            probabilities[place],
            attributions[place],
            seconds=seconds,
            forward_passes=counts.forward_passes // len(questions),
            backward_passes=counts.backward_passes // len(questions),
            notes=(*question.notes, *counts.notes),
        )
        for place, question in enumerate(questions)
    ]
    return explanations, class_scores


def _fit_one_batch(questions: Sequence[Question]) -> bool:
    """Return whether the images have one size, and a result of the model does not depend on the rest of its batch."""
    model = questions[0].model
    one_size = len({question.view.shape for question in questions}) == 1
    return one_size and not needs_batches_of_one(model.net) and not model.draws_random_numbers


def estimate(question: Question) -> float:
    """Estimate the seconds that `answer` takes on this machine, from its first batches."""
    marks: list[tuple[float, int, int]] = []
    clock = time.thread_time if question.model.device.type == "cpu" else time.perf_counter
    started = clock()

    def mark(done: int, total: int) -> None:
        if not done or (marks and marks[-1][1] == done):
            return  # a heartbeat from within a batch
        marks.append((clock() - started, done, total))
        if len(marks) >= 2:
            raise _Enough

    try:
        answer(question, mark)
        return clock() - started
    except _Enough:
        (first, before, total), (second, after, _) = marks
        return second + (total - after) * (second - first) / max(1, after - before)


class _Enough(BaseException):
    """Ends a method from its progress callback after enough batches have been timed."""


def find_method(given: Any) -> Method:
    """Return the method of a key or a function; raise CamvizError with the nearest one."""
    if isinstance(given, Method):
        return given
    if isinstance(given, str):
        return METHODS[given]
    for method in METHODS.values():
        if given is method.function:
            return method
    raise CamvizError(
        "a method is given by its key, such as 'grad_cam', or as an entry of camviz.METHODS; got {given}",
        given=repr(given)[:60],
    )


class _RecordingScore:
    """A score that keeps the class scores of the first pass, and explains each image's best class if it has none."""

    def __init__(self, score: Score | None) -> None:
        self.score = score
        self.class_scores: Tensor | None = None

    def __call__(self, class_scores: Tensor) -> Tensor:
        if self.class_scores is None:
            self.class_scores = class_scores.detach()
        if self.score is None:
            self.score = logit_of(tuple(self.class_scores.argmax(dim=1).tolist()))
        return self.score(class_scores)

    def class_scores_of(self, net: nn.Module, x: Tensor) -> Tensor:
        """Return the class scores of x, (B, K); run a pass if none has been recorded."""
        if self.class_scores is None:
            with torch.no_grad():
                self.class_scores = forward(net, x)
        return self.class_scores


def _score_of(question: Question, x: Tensor) -> _RecordingScore:
    score = _RecordingScore(question.score)
    if question.method.many_passes:  # of one image, but the first pass may be of another
        best = int(score.class_scores_of(question.model.net, x).argmax())
        score.score = score.score or logit(best)
    return score


def _explanation(
    question: Question, probabilities: Tensor, attribution: Tensor, *, notes: tuple[str, ...], **cost: Any
) -> Explanation:
    """Return the explanation for the probabilities (K,) of the image and its attribution."""
    if question.score is None:
        question = replace(question, score=logit(int(probabilities.argmax())))
    index = question.class_index
    values = attribution.detach().to("cpu", torch.float32).numpy()
    explained = None if index is None else question.model.prediction(index, float(probabilities[index]))
    result = Result(
        attribution=values,
        view=question.view,
        probability=math.nan if explained is None else explained.probability,
        value=math.nan if explained is None else explained.value,
        notes=(*notes, *_emptiness(values)),
        **cost,
    )
    return Explanation(question, result)


def _fusion(name: Any) -> Fusion:
    return choice(name, get_args(Fusion), Message("fuse"))  # type: ignore[return-value]


def _emptiness(attribution: NDArray[np.float32]) -> tuple[Message, ...]:
    if attribution.ndim == 2 and (attribution.max() <= 0 or attribution.max() == attribution.min()):
        return (Message("No positive evidence for this class at this layer: the heatmap is empty."),)
    if not attribution.any():
        return (Message("Nothing reached the pixels: the heatmap is empty."),)
    return ()
