"""Predictions of an experiment: equal to the model's, from one forward pass for all classes."""

from camviz import images
from camviz.tape.pass_counts import counting_passes
from camviz.ui.inputs.experiment import Experiment
from camviz.ui.inputs.image_input import InputImage
from camviz.ui.server.singletons import clear_singletons


def test_one_forward_pass_predicts_all_classes(lite0, coffee) -> None:
    clear_singletons()
    image = images.decode_image(coffee)
    experiment = Experiment(InputImage("sample:coffee", image), lite0, ("bn2",), "crop")
    expected = lite0.predict(image, 1000)
    with counting_passes() as passes:
        assert experiment.predictions == expected[:5]
        assert [experiment.prediction(one.index) for one in expected] == list(expected)
        assert Experiment(experiment.image, lite0, ("bn2",), "pad").predictions == lite0.predict(image, 5, "pad")
    assert passes.forward_passes == 3  # one for each fit here, and one of the line above
