"""The glossary."""

GLOSSARY = {
    "Activation": "The number that a unit of the network gives out for this picture.",
    "Attribution": "A number for every pixel or region: how much it has to do with the answer, by some method.",
    "Baseline": "The empty picture that a method compares with: the mean color, black, or a blur.",
    "Channel, feature map": "One of the stacked maps that a layer gives out. Each answers to one kind of pattern.",
    "Class": "One of the answers that the network can give; the embedded ones know the 1,000 of ImageNet.",
    "Class activation map (CAM)": "A weighted sum of a layer's feature maps: a coarse map of evidence for a class.",
    "Completeness": "That a map's values add up to the score's rise from the baseline. Integrated gradients have it.",
    "Contrast": "The difference of two classes' scores: why the one rather than the other.",
    "Convolution": "The basic step: one small filter is held against every place of the picture or of the maps below.",
    "Gradient": "How much a number would change for a tiny change of each number it depends on.",
    "Heat map, saliency map": "An attribution as colors over the picture.",
    "Layer": "One step of the network. Early ones see edges finely, late ones see objects coarsely.",
    "Logit, score": "The network's raw number for a class, before softmax.",
    "Perturbation": "Changing the picture and watching the answer: covering, blurring, masking.",
    "Probability": "The scores of all classes brought to a sum of 1 (softmax). Not a guarantee of being right.",
    "Rank correlation": "How far two maps put their pixels in the same order: 1 the same, 0 unrelated, -1 reversed.",
    "Receptive field": "The part of the picture that one unit can see.",
    "Relevance": "A share of the score, passed back layer by layer.",
    "ReLU": "The bend in the network: what is negative becomes zero. ReLU6 also cuts off above 6.",
    "Sanity check": "A test that any explanation should pass: when the network forgets, its map should change.",
    "Saturation": "Where more of a pattern no longer raises the score: the gradient is near zero, though the pattern "
    "matters.",
    "Softmax": "What turns scores into probabilities: each exponential, divided by the sum of all.",
    "Untrained network": "The same network with random weights: nothing that its maps show was learned.",
    "Upsampling": "Stretching a coarse map to the picture's size. It adds smoothness, and no detail.",
}
