"""Attack: the image before and after, the perturbation, noise of its size, and the heatmaps of each."""

from collections.abc import Sequence
from functools import partial
from math import isnan

import numpy as np
import streamlit as st

from ... import encode, text
from ...adversarial import Attack
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...images import decode_image
from ...messages import Message
from ...models import Prediction
from ...scores import logit
from ...stage.look import Look
from ...text import passes_text, percent
from ..components import browser
from ..inputs.experiment import Experiment
from ..results import cost, explanations
from ..server import tasks
from ..server.queue import ReportProgress
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..shell import experiment_row
from ..widgets import method_picker, stage
from . import attack_report, attack_request, class_image, conclusions, downloads, python_code
from .attack_request import AttackRequest

SHOWN = 4  # classes below an image
VISIBLE = 127  # 8-bit levels from gray to the strongest change of the amplified perturbation

Pair = tuple[str, Question]  # the title of a heatmap, and its question


def draw(experiment: Experiment) -> None:
    """Draw the controls of the attack and its results."""
    answer = st.container(key="perturb_answer").container(key="answer")
    left, right = st.columns([5, 2], gap="large")
    place = left.container(key="attacked").empty()  # before the controls, which stand below it on a phone
    with right:
        request = attack_request.choose(experiment)
        question = method_picker.ask(experiment)
    if not attack_request.is_known(request):
        with place.container():
            _untouched(experiment)
    found = attack_request.result(request, answer)
    if found is None:
        stage.look()
        return
    with place.container():
        attack, noise = found
        wanted = "" if attack.target is None else experiment.model.categories[attack.target]
        sentences = (conclusions.attack(attack, wanted), conclusions.control(attack, noise))
        answer.markdown(escaped(" ".join(tr_message(one) for one in sentences)))
        _images(attack, noise, experiment.explained_class)
        look = stage.look()
        maps = _heatmaps(experiment, question, attack, noise, look) if question is not None else []
        _notes(request, attack)
    made = class_image.draw(experiment, experiment.explained_class)
    class_of_image = None if made is None else experiment.explained_class
    code = python_code.of_attack(request, question, attack.after[0].index, class_of_image)
    downloads.offer(
        experiment,
        Message("{name} of {image}", name=request.method.title, image=experiment.image.name),
        lambda: attack_report.sections(attack, noise, wanted, amplification(attack), maps, look, made),
        lambda: attack_report.asked(request, attack, maps, _file(request)),
        lambda: attack_report.numbers(attack, noise),
        code,
        attack.method,
    )
    python_code.show(code)


def _untouched(experiment: Experiment) -> None:
    """Draw the image at its place beside the later results."""
    with st.grid(4, min_column_width=150).cell(), st.container(key="attack_image_untouched"):
        st.image(encode.png(experiment.view), alt=tr("Image"), width="stretch")


def _images(attack: Attack, noise: Attack, explained: int) -> None:
    factor = amplification(attack)
    row = st.grid(4, min_column_width=150)
    with row.cell():
        _image(tr("Image"), encode.png(attack.pixels), attack.before, explained, "before")
    with row.cell():
        title = tr("Fooled image") if attack.success else tr("Perturbed image")
        _image(title, encode.png(attack.perturbed_pixels), attack.after, explained, "after")
    with row.cell():
        title = tr("Perturbation, amplified {factor} times", factor=factor)
        with st.container(key="attack_image_perturbation"):
            st.image(encode.png(attack.amplified(factor)), alt=title, width="stretch")
        st.caption(f"**{title}**")
        st.caption(_facts(attack))
    with row.cell():
        _image(
            tr("Image with noise of the same size"), encode.png(noise.perturbed_pixels), noise.after, explained, "noise"
        )


def amplification(attack: Attack) -> int:
    """Return the factor that amplifies the perturbation; only its strongest thousandth is clipped."""
    strongest = float(np.percentile(np.abs(attack.perturbation), 99.9)) * 255
    return max(1, int(VISIBLE / max(strongest, 1.0)))


def _image(title: str, file: bytes, found: Sequence[Prediction], explained: int, key: str) -> None:
    alt = tr("{title}: {label}, {share}", title=title, label=found[0].label, share=found[0].shown(0))
    with st.container(key=f"attack_image_{key}"):
        st.image(file, alt=alt, width="stretch")
    st.caption(f"**{title}**")
    rows = [
        {
            "id": one.index,
            "label": tr_message(one.label),
            "value": tr_message(one.shown()),
            "share": 0.0 if isnan(one.probability) else one.probability,
            "chosen": one.index == explained,
        }
        for one in found[:SHOWN]
    ]
    browser.bars(
        tr("{title}: choose a class to explain", title=title), rows, experiment_row.explain_class, key="bars." + key
    )


def _facts(attack: Attack) -> str:
    change = np.abs(attack.perturbation)
    return tr(
        "Gray: unchanged. {share} of the color values change, by at most {most}/255; L2 norm {norm}. {passes}, "
        "{seconds}.",
        share=percent(float((change > 0).mean()), 0, exact=True),
        most=round(float(change.max()) * 255),
        norm=f"{float(np.linalg.norm(attack.perturbation)):.2f}",
        passes=passes_text(attack.forward_passes, attack.backward_passes),
        seconds=text.duration_text(attack.seconds),
    )


def _heatmaps(
    experiment: Experiment, question: Question, attack: Attack, noise: Attack, look: Look
) -> list[tuple[str, Explanation]]:
    """Draw the heatmaps and return them with their titles; empty while they wait for a click."""
    asked = _questions(experiment, question, attack, noise)
    st.subheader(tr("Heatmaps before and after: {method}", method=tr_message(question.method.title)), anchor=False)
    found = _explained([one for _, one in asked])
    if found is None:
        return []
    row = st.grid(4, min_column_width=150)
    for number, ((title, _), e) in enumerate(zip(asked, found, strict=True)):
        with row.cell():
            title = tr_message(title)
            said = tr("{method} of {label}", method=e.question.method.title, label=e.label)
            stage.stage(
                f"attack.{number}",
                encode.jpeg(e.view),
                (e.view.shape[0], e.view.shape[1]),
                stage.map_of(e),
                look,
                tr("{title}: heatmap of {label}", title=title, label=e.label),
                group="attack",
                name=str(number),
            )
            st.caption(f"**{title}**  \n{escaped(said)}")
            for note in e.notes:
                st.caption(escaped(tr_message(note)))
    return [(title, e) for (title, _), e in zip(asked, found, strict=True)]


def _questions(experiment: Experiment, question: Question, attack: Attack, noise: Attack) -> list[Pair]:
    fooled = question.replace(image=decode_image(attack.perturbed_pixels), fit="stretch", edit=None)
    noisy = question.replace(image=decode_image(noise.perturbed_pixels), fit="stretch", edit=None)
    after = Message("Fooled image") if attack.success else Message("Perturbed image")
    found: list[Pair] = [(Message("Image"), question), (after, fooled)]
    if attack.after[0].index != question.class_index:
        found.append((after, fooled.replace(score=logit(attack.after[0].index))))
    return [*found, (Message("Image with noise of the same size"), noisy)]


def _explained(questions: Sequence[Question]) -> list[Explanation] | None:
    """Return the explanations: at once if they are quick, else after a click. None: not yet, or refused."""
    seconds = [0.0 if explanations.known(one) else cost.explanation_seconds(one) for one in questions]

    def work(report: ReportProgress) -> bool:
        for one, part in zip(questions, tasks.parts_of(report, seconds), strict=True):
            explanations.compute(one, part)
        return True

    if None in [explanations.known(one) for one in questions]:
        key = ("attack heatmaps", *(one.key for one in questions))
        if not tasks.run("attack_maps", key, sum(seconds), tr("Compute the heatmaps"), work, keep=False):
            return None
    return [explanations.compute(one) for one in questions]


def _notes(request: AttackRequest, attack: Attack) -> None:
    if attack.success:
        st.caption(
            tr(
                "**What it shows.** A person sees the same image, and the model sees another class. So a high "
                "probability does not mean that the model saw what a person sees: it also uses patterns that "
                "people do not notice. The heatmap of the wrong class can look as sensible as that of the right one."
            )
        )
    st.caption(tr("**Limitations.** {caution}", caution=conclusions.ONE_MODEL))
    st.download_button(
        tr("Download perturbed image (PNG)"),
        partial(encode.png, attack.perturbed_pixels),
        _file(request),
        "image/png",
        on_click="ignore",
        help=tr("A file without loss: the model predicts the same for it, if it is stretched to the input size."),
    )


def _file(request: AttackRequest) -> str:
    """Return the name of the file of the perturbed image."""
    found: str = text.file_name(request.experiment.image.name, request.experiment.model.name, request.method.key)
    return f"{found}.png"
