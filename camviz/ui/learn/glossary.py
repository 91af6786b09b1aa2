"""The glossary."""

GLOSSARY = {
    "Activation": "The output of one unit of the network for this image.",
    "Attribution": "A value for each pixel or region: how much it contributes to the prediction, according to "
    "one method.",
    "Baseline": "The blank image that a method compares with: the mean color, black, or a blurred image.",
    "Channel, feature map": "One of the two-dimensional outputs of a layer. Each responds to one kind of pattern.",
    "Class": "One of the labels that the model can predict; the built-in models know the 1,000 classes of ImageNet.",
    "Class activation map (CAM)": "A weighted sum of a layer's feature maps: a coarse heatmap of the evidence "
    "for a class.",
    "Completeness": "The property that the values of a heatmap sum to the score of the input minus that of the "
    "baseline. Integrated gradients have it.",
    "Contrast": "The difference of the scores of two classes: why the one rather than the other.",
    "Convolution": "The basic operation: a small filter is applied at every position of the image, or of the "
    "feature maps below.",
    "Gradient": "How much a value changes for a small change of each of its inputs.",
    "Heatmap, saliency map": "An attribution shown in colors, usually over the image.",
    "Layer": "One step of the network. Early layers respond to edges at high resolution, late layers to objects "
    "at low resolution.",
    "Logit, score": "The output of the network for a class, before softmax.",
    "Perturbation": "Changing the input and observing the prediction: hiding, blurring, masking.",
    "Probability": "The scores of all classes after softmax, which sum to 1. A high probability does not "
    "guarantee a correct prediction.",
    "Rank correlation": "How well two heatmaps agree in the order of their pixels: 1 same order, 0 unrelated, "
    "-1 reversed.",
    "Receptive field": "The part of the input image that a unit can depend on.",
    "Relevance": "A share of the score, distributed backward layer by layer.",
    "ReLU": "max(0, x): negative values become zero. It makes the network non-linear. ReLU6 also limits the "
    "value to 6.",
    "Sanity check": "A test that every explanation should pass: if the weights are randomized, the heatmap "
    "should change.",
    "Saturation": "The state in which more of a pattern no longer raises the score: the gradient is near zero, "
    "although the pattern matters.",
    "Softmax": "Turns scores into probabilities: the exponential of each score, divided by the sum of all "
    "exponentials.",
    "Untrained model": "The same architecture with random weights: its heatmaps show nothing that was learned.",
    "Upsampling": "Enlarging a coarse heatmap to the size of the image. It adds smoothness, but no detail.",
}
