"""The chapters of the Learn page: each method's idea, its formula and its paper; and the words of the field."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """What stands above a method's steps: three sentences without a formula, then the formula."""

    idea: str
    formula: str  # LaTeX
    symbols: str
    paper: str


CHAPTERS = {
    "vanilla_backprop": Chapter(
        "Nudge one pixel a little, and the score of the class moves a little, up or down. The gradient says for every "
        "pixel how much the score would move. Where it is large, the network reacts; that need not be where the "
        "object is.",
        r"M = \frac{\partial S}{\partial x}",
        "x: the picture as the network gets it; S: the score of the class; M: the map, with a sign for every color "
        "of every pixel.",
        "Karen Simonyan, Andrea Vedaldi, Andrew Zisserman: Deep Inside Convolutional Networks: Visualizing Image "
        "Classification Models and Saliency Maps. ICLR workshop, 2014.",
    ),
    "guided_backprop": Chapter(
        "On the way back through the network, every ReLU lets through only what was active on the way up and pulls "
        "the score up. So only chains of agreement survive, which gives fine, clean lines. The lines show what the "
        "network is able to see; they hardly depend on the class that was asked for.",
        r"R^{\text{in}} = R^{\text{out}} \cdot [R^{\text{out}} > 0] \cdot [a > 0]",
        "a: what came into the ReLU on the way up; R: what comes back, above (out) and below (in) the ReLU.",
        "Jost Tobias Springenberg, Alexey Dosovitskiy, Thomas Brox, Martin Riedmiller: Striving for Simplicity: The "
        "All Convolutional Net. ICLR workshop, 2015.",
    ),
    "deconvnet": Chapter(
        "Run the network backwards, from a class or from one feature map down to the pixels. A ReLU does on the way "
        "down what it does on the way up: it drops what is negative, and remembers nothing of the way up. What "
        "arrives is the pattern that excites the starting point.",
        r"R^{\text{in}} = R^{\text{out}} \cdot [R^{\text{out}} > 0]",
        "R: what comes back, above (out) and below (in) the ReLU.",
        "Matthew D. Zeiler, Rob Fergus: Visualizing and Understanding Convolutional Networks. ECCV, 2014.",
    ),
    "grad_cam": Chapter(
        "A late layer is a stack of small maps, each of which answers to something: fur, wheels, eyes. Each map is "
        "weighted by how much the class would gain if it grew. The weighted sum shows where there is evidence for "
        "the class, as coarsely as the layer is.",
        r"w_c = \frac{1}{hw}\sum_{i,j} \frac{\partial S}{\partial A_{cij}}, \qquad "
        r"M = \operatorname{ReLU}\Big(\sum_c w_c A_c\Big)",
        "A: the layer's feature maps, c of them with h x w cells; w: their weights; S: the score of the class.",
        "Ramprasaath R. Selvaraju, Michael Cogswell, Abhishek Das, Ramakrishna Vedantam, Devi Parikh, Dhruv Batra: "
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV, 2017.",
    ),
    "guided_grad_cam": Chapter(
        "Guided backpropagation has fine lines, but for every class the same ones. Grad-CAM knows the class, but only "
        "coarsely. Their product keeps the lines where the evidence is.",
        r"M = G \odot \operatorname{upsample}(L)",
        "G: the map of guided backpropagation; L: that of Grad-CAM; the product is taken value by value.",
        "Ramprasaath R. Selvaraju and others: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based "
        "Localization. ICCV, 2017.",
    ),
    "score_cam": Chapter(
        "Use each feature map as a stencil: keep the picture where the map is strong, and hide the rest. Ask the "
        "network what it says of what is left. The maps that keep the class alive get the weight.",
        r"M_c = \operatorname{minmax}(\operatorname{upsample}(A_c)), \qquad w = \operatorname{softmax}_c "
        r"\big(S(x \odot M_c) - S(0)\big), \qquad M = \operatorname{ReLU}\Big(\sum_c w_c A_c\Big)",
        "A: the layer's feature maps; M with an index: the stencil made of one; S: the score of the class.",
        "Haofan Wang, Zifan Wang, Mengnan Du, Fan Yang, Zijian Zhang, Sirui Ding, Piotr Mardziel, Xia Hu: Score-CAM: "
        "Score-Weighted Visual Explanations for Convolutional Neural Networks. CVPR workshops, 2020.",
    ),
    "integrated_gradients": Chapter(
        "Fade the picture in, from an empty one to the whole, in small steps. At each step the gradient says what "
        "each pixel gives to the rise of the score just then. Added up, the shares of all pixels make the whole rise.",
        r"M = (x - x_0) \odot \int_0^1 \frac{\partial S}{\partial x}\big(x_0 + a\,(x - x_0)\big)\,da, \qquad "
        r"\sum M = S(x) - S(x_0)",
        "x: the picture; x with index 0: the empty one, the baseline; a: how far the picture is faded in.",
        "Mukund Sundararajan, Ankur Taly, Qiqi Yan: Axiomatic Attribution for Deep Networks. ICML, 2017.",
    ),
    "lrp": Chapter(
        "The score is a sum that has to be paid. Layer by layer, from the class back to the pixels, every unit passes "
        "its share of the bill on to the units that made it as large as it is. What is left at the pixels says how "
        "much of the score each of them answers for.",
        r"R_j = \sum_k \frac{c_{jk}}{\sum_{j'} c_{j'k}} R_k, \qquad c_{jk} = x_j w_{jk}",
        "R: the relevance of a layer's outputs k and of its inputs j; c: what input j gives to output k, as the "
        "layer's rule changes it.",
        "Sebastian Bach, Alexander Binder, Gregoire Montavon, Frederick Klauschen, Klaus-Robert Mueller, Wojciech "
        "Samek: On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation. "
        "PLOS ONE, 2015.",
    ),
}
