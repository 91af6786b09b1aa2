"""Worker: images that cannot share a batch."""

import io

import pytest
from PIL import Image
from torchvision import transforms

import camviz
from camviz.batch.worker import Item, Job, Worker
from tests.models.nets import SIDE, Small, images, load, relative


def items(pictures, methods) -> list[Item]:
    found = []
    for number, image in enumerate(pictures):
        file = io.BytesIO()
        image.save(file, "PNG")
        found.append(Item(f"{number}.png", file.getvalue(), methods))
    return found


def run(model, job, pictures):
    worker = Worker(job, model)
    outcomes = worker.explain(worker.read(items(pictures, job.methods)))
    return {(outcome.name, outcome.method): outcome for outcome in outcomes}


def test_images_of_several_sizes_equal_single_explanations():
    keeps_ratio = transforms.Compose([transforms.Resize(SIDE), transforms.ToTensor()])
    model = camviz.load_model(Small("norm"), preprocess=keeps_ratio)
    pictures = [*images(1, 30, 60), *images(1, 60, 30), *images(1)]
    job = Job(methods=("grad_cam", "occlusion"), metrics=("deletion",), target=1, knobs={"occlusion": {"size": 12}})
    outcomes = run(model, job, pictures)
    assert len(outcomes) == 6 and not any(outcome.error for outcome in outcomes.values())
    for number, image in enumerate(pictures):
        for method, knobs in (("grad_cam", {}), ("occlusion", {"size": 12})):
            outcome = outcomes[f"{number}.png", method]
            alone = camviz.explain(model, image, method, target=1, **knobs)
            assert relative(outcome.explanation.attribution, alone.attribution) < 1e-5
            assert outcome.metrics["deletion"] == pytest.approx(float(camviz.measure(alone, "deletion")), rel=1e-5)
            assert outcome.predicted.index == model.predict(image, k=1)[0].index


class NanForUniform(Small):
    """Returns nan for an image of one color."""

    def forward(self, x):
        spread = x.flatten(2).std(dim=2).sum(dim=1, keepdim=True)
        return super().forward(x) * (spread / spread)


def test_image_without_a_result_does_not_affect_the_others():
    model = load(NanForUniform())
    pictures = [*images(1), Image.new("RGB", (SIDE, SIDE), "gray"), *images(1)]
    outcomes = run(model, Job(methods=("grad_cam", "occlusion", "edge_detector"), metrics=()), pictures)
    assert len(outcomes) == 9
    for (name, _), outcome in outcomes.items():
        assert ("nan" in outcome.error) == (name == "1.png")
        assert (outcome.predicted is None) == (name == "1.png")
