"""The result of a training: accuracy before and now, images with the wrong ones first, heatmaps, the download."""

from collections.abc import Sequence

import streamlit as st

from ... import text
from ...explanation.explain import ask
from ...images import decode_image
from ...registry import METHODS
from ...training import Trained, to_file
from ..components import browser
from ..inputs import image_input
from ..inputs.dataset_input import DatasetImage
from ..results import explanations
from ..session.language import tr
from ..session.markdown import escaped
from ..widgets import stage
from . import sharing
from .class_editor import thumbnail
from .runs import Run

FEW = 20  # images of a class; the page warns if there are fewer
SHOWN = 27  # images beside their predictions
CHOSEN = "train_image"  # in st.session_state: the digest of the chosen image


def accuracy(now: Run, before: Run | None) -> None:
    """Show the accuracy on held-out images, beside that of the run before."""
    trained = now.trained
    with st.container(horizontal=True, key="train_accuracy"):
        change = None if before is None else trained.held_out_accuracy - before.trained.held_out_accuracy
        if before is not None:
            _number(tr("Accuracy before"), before.trained)
        _number(tr("Accuracy on held-out images"), trained, change)
    low, high = (text.percent(share, 0, exact=True) for share in trained.interval)
    st.caption(
        tr(
            "{correct} of {count} images are classified correctly by a layer that was trained without them "
            "({folds}-fold cross-validation); 95% interval: {low} to {high}. On the images that it was trained on: "
            "{training}.",
            correct=trained.correct,
            count=trained.count,
            folds=trained.folds,
            low=low,
            high=high,
            training=text.percent(trained.training_accuracy, 0, exact=True),
        )
    )
    fewest = min(len(one.images) for one in now.given.classes)
    if fewest < FEW:
        st.caption(
            tr(
                "**These are few images.** The smallest class has {fewest}, and each image counts {step} percentage "
                "points. With {few} or more images of each class the accuracy is more reliable.",
                fewest=fewest,
                step=f"{100 / trained.count:.0f}",
                few=FEW,
            )
        )


def _number(label: str, trained: Trained, change: float | None = None) -> None:
    share = text.percent(trained.held_out_accuracy, 0, exact=True)
    delta = None if change is None else tr("{change} percentage points", change=f"{100 * change:+.0f}")
    st.metric(
        label,
        f"{share} (n = {trained.count})",
        delta,
        delta_color="off",  # with few images a change says little
        width="content",
        help=tr("Each image is classified by a layer that was trained without it."),
    )


def confusion(trained: Trained) -> None:
    """Show how many held-out images of each class are predicted as each class."""
    names = [escaped(name) for name in trained.class_names]
    table = {tr("Class"): names} | {
        tr("Predicted: {label}", label=name): [str(count) for count in trained.confusion[:, column]]
        for column, name in enumerate(names)
    }
    st.table(table)


def images(now: Run) -> DatasetImage:
    """Show the images with their held-out predictions, wrong ones first; return the chosen one."""
    trained, names = now.trained, now.trained.class_names
    order = sorted(range(trained.count), key=lambda place: trained.held_out[place, trained.labels[place]])
    items = []
    for place in order[:SHOWN]:
        image, label, predicted = now.images[place], names[trained.labels[place]], names[trained.predicted[place]]
        share = text.percent(float(trained.held_out[place].max()), 0)
        wrong = predicted != label
        alt = (
            tr("{image} of {label}, predicted as {predicted}", image=image.name, label=label, predicted=predicted)
            if wrong
            else tr("{image} of {label}, predicted correctly", image=image.name, label=label)
        )
        items.append((image.digest, alt, f"{'✗' if wrong else '✓'} {predicted} {share}", thumbnail(image)))
    known = {image.digest: image for image in now.images}
    chosen = st.session_state.get(CHOSEN)
    chosen = chosen if chosen in known else items[0][0]
    browser.tiles(tr("Images with their predictions"), items, chosen, _choose, 72, key="train_predictions")
    if trained.count > SHOWN:
        st.caption(tr("The {shown} images with the lowest probability of their class.", shown=SHOWN))
    return known[chosen]


def heatmaps(image: DatasetImage, now: Run, before: Run | None) -> None:
    """Show the heatmap of an image, beside that of the run before, for the same class."""
    runs = [now] if before is None else [before, now]
    decoded = decode_image(image.data, image.name)
    label = now.trained.model.predict(decoded, 1)[0].label
    look = stage.look()
    for run, place in zip(runs, st.columns(2)[: len(runs)], strict=True):
        model = run.trained.model
        e = explanations.compute(ask(model, decoded, METHODS["grad_cam"], label))
        title = tr("Before") if run is not now else tr("Now") if len(runs) > 1 else ""
        with place:
            stage.stage(
                f"stage_slot_train{runs.index(run)}",
                stage.original(model, decoded, "crop"),
                model.input_size,
                stage.map_of(e),
                look,
                tr("Heatmap of {label} over {image}", label=label, image=image.name),
                group="train",
                name=title,
            )
            said = tr("{label}: {share}", label=escaped(label), share=text.percent(e.probability, 0))
            st.caption(f"**{title}** · {said}" if title else said)
    st.caption(tr("Grad-CAM of the model that is trained on all images, this one included."))


def actions(image: DatasetImage, now: Run) -> None:
    """Draw the buttons that open the model in Explain with an image, download it and share it."""
    row = st.container(horizontal=True)
    if row.button(
        tr("Open in Explain"), icon=":material/visibility:", key="train_open", on_click=_open, args=(image, now)
    ):
        st.switch_page("pages/explain.py")
    row.download_button(
        tr("Download the model"),
        lambda: to_file(now.trained.model, now.base.name),
        f"{text.file_name('camviz', *now.given.names)}.safetensors",
        "application/octet-stream",
        on_click="ignore",
        help=tr(
            "A state dict (safetensors) with the class names. Load it under 'Your own model' in Settings, or by "
            "camviz.load_model."
        ),
    )
    sharing.draw(now, row)
    if now.is_kept:
        st.caption(
            tr(
                "The list of models on all pages contains this one as {name}.",
                name=escaped(now.trained.model.title),
            )
        )


def _choose(digest: str) -> None:
    st.session_state[CHOSEN] = digest


def _open(image: DatasetImage, run: Run) -> None:
    state = st.session_state
    state["model"] = run.open()
    state["untrained"] = False
    sample = f"sample:{image.name.removesuffix('.jpg')}"
    same = image_input.choices().get(sample)
    is_sample = same is not None and same.digest == decode_image(image.data).digest
    image_input.choose(sample if is_sample else image_input.add_upload(image.name, image.data))
    state["target"] = state["rather_than"] = -1


def before_of(runs: Sequence[Run]) -> Run | None:
    """Return the run before the latest one, if it has the same classes."""
    return runs[-2] if len(runs) > 1 and runs[-2].given.names == runs[-1].given.names else None
