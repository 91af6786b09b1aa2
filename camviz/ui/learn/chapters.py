"""The chapters of the page Learn: idea, formula and paper of each method."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """The text above a method's steps: the idea without a formula, then the formula; and the example of the steps.

    `image` is the name of a sample and `layer` a layer of the default model on which the method can be seen.
    """

    idea: str
    formula: str  # LaTeX
    symbols: str
    paper: str
    image: str = "coffee"
    layer: str = "bn2"


CHAPTERS = {
    "vanilla_backprop": Chapter(
        "A small change of one pixel changes the score of the class a little, up or down. The gradient gives "
        "this rate of change for every pixel. It is large where the score is sensitive, which need not be where "
        "the object is.",
        r"M = \frac{\partial S}{\partial x}",
        "x: the input image; S: the score of the class; M: the heatmap, one signed value for each color of each pixel.",
        "Karen Simonyan, Andrea Vedaldi, Andrew Zisserman: Deep Inside Convolutional Networks: Visualizing Image "
        "Classification Models and Saliency Maps. ICLR workshop, 2014.",
    ),
    "guided_backprop": Chapter(
        "In the backward pass, each ReLU passes on only positive gradients, and only where its input was "
        "positive in the forward pass. What remains are paths on which every step raises the score; they give "
        "thin, clean lines. The lines show what the model can detect; they hardly depend on the class.",
        r"R^{\text{in}} = R^{\text{out}} \cdot [R^{\text{out}} > 0] \cdot [a > 0]",
        "a: the input of the ReLU in the forward pass; R: the backward signal, above (out) and below (in) the ReLU.",
        "Jost Tobias Springenberg, Alexey Dosovitskiy, Thomas Brox, Martin Riedmiller: Striving for Simplicity: The "
        "All Convolutional Net. ICLR workshop, 2015.",
    ),
    "deconvnet": Chapter(
        "Run the network backward, from a class or a feature map to the pixels. In the backward pass a ReLU "
        "does what it does in the forward pass: it sets negative values to zero, whatever its input was. The "
        "result is the pattern that activates the starting point.",
        r"R^{\text{in}} = R^{\text{out}} \cdot [R^{\text{out}} > 0]",
        "R: the backward signal, above (out) and below (in) the ReLU.",
        "Matthew D. Zeiler, Rob Fergus: Visualizing and Understanding Convolutional Networks. ECCV, 2014.",
        image="lemurs",
        layer="blocks.0",
    ),
    "grad_cam": Chapter(
        "A late layer consists of many small feature maps, each of which responds to something: fur, wheels, "
        "eyes. Each feature map is weighted by how much the score of the class grows with it. The weighted sum "
        "shows where there is evidence for the class, at the layer's resolution.",
        r"w_c = \frac{1}{hw}\sum_{i,j} \frac{\partial S}{\partial A_{cij}}, \qquad "
        r"M = \operatorname{ReLU}\Big(\sum_c w_c A_c\Big)",
        "A: the layer's feature maps, with index c and h × w cells each; w: their weights; S: the score of the class.",
        "Ramprasaath R. Selvaraju, Michael Cogswell, Abhishek Das, Ramakrishna Vedantam, Devi Parikh, Dhruv Batra: "
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV, 2017.",
    ),
    "guided_grad_cam": Chapter(
        "Guided backpropagation gives thin lines, but the same ones for every class. Grad-CAM depends on the "
        "class, but its resolution is low. Their product keeps the lines only where there is evidence for the "
        "class.",
        r"M = G \odot \operatorname{upsample}(L)",
        "G: the heatmap of guided backpropagation; L: the heatmap of Grad-CAM; the product is elementwise.",
        "Ramprasaath R. Selvaraju and others: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based "
        "Localization. ICCV, 2017.",
    ),
    "score_cam": Chapter(
        "Use each feature map as a mask: keep the image where the feature map is high, and hide the rest. "
        "Compute the score of the masked image. Feature maps that keep the score high get more weight.",
        r"M_c = \operatorname{minmax}(\operatorname{upsample}(A_c)), \qquad w = \operatorname{softmax}_c "
        r"\big(S(x \odot M_c) - S(0)\big), \qquad M = \operatorname{ReLU}\Big(\sum_c w_c A_c\Big)",
        "A: the layer's feature maps; M with index c: the mask made from feature map c; S: the score of the class.",
        "Haofan Wang, Zifan Wang, Mengnan Du, Fan Yang, Zijian Zhang, Sirui Ding, Piotr Mardziel, Xia Hu: Score-CAM: "
        "Score-Weighted Visual Explanations for Convolutional Neural Networks. CVPR workshops, 2020.",
    ),
    "integrated_gradients": Chapter(
        "Go from a blank image, the baseline, to the input in small steps. At each step the gradient shows how "
        "much each pixel contributes to the change of the score. Summed over all steps and pixels, the "
        "contributions equal the total change of the score.",
        r"M = (x - x_0) \odot \int_0^1 \frac{\partial S}{\partial x}\big(x_0 + a\,(x - x_0)\big)\,da, \qquad "
        r"\sum M = S(x) - S(x_0)",
        "x: the input image; x with index 0: the baseline; a: the position on the path, from 0 to 1.",
        "Mukund Sundararajan, Ankur Taly, Qiqi Yan: Axiomatic Attribution for Deep Networks. ICML, 2017.",
    ),
    "lrp": Chapter(
        "The score is distributed backward through the network. Layer by layer, each unit passes its relevance "
        "on to its inputs, in proportion to what each of them contributed. Biases take part in this, so in a deep "
        "network only a small part of the score may arrive at the pixels. The relevance of a pixel shows its "
        "contribution compared with other pixels.",
        r"R_j = \sum_k \frac{c_{jk}}{\sum_{j'} c_{j'k}} R_k, \qquad c_{jk} = x_j w_{jk}",
        "R: the relevance of a layer's outputs k and inputs j; c: the contribution of input j to output k, as "
        "modified by the layer's rule.",
        "Sebastian Bach, Alexander Binder, Gregoire Montavon, Frederick Klauschen, Klaus-Robert Mueller, Wojciech "
        "Samek: On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation. "
        "PLOS ONE, 2015.",
    ),
}
