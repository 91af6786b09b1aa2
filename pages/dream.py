"""Dream: feature visualization by optimization."""

import streamlit as st

from camviz.ui.dream import by_layer, result_view
from camviz.ui.dream.controls import choose, result
from camviz.ui.session.language import tr, tr_message
from camviz.ui.shell import pages

experiment = pages.experiment()
left, right = st.columns([2, 3], gap="large")

with left:
    request = choose(experiment)
with right:
    image = result(request) if request else None
    if request and image:
        result_view.show(image, request)
        st.markdown(result_view.reading(image, request))
        st.caption(tr("**Limitations.** {caution}", caution=result_view.caution(image)))
if request and image:
    answer, way = st.columns([2, 3], gap="large")
    with answer:
        st.header(tr("Predictions for this image"))
        result_view.says(result_view.predictions(image.picture, request))
    with way:
        st.header(tr("Optimization progress"))
        result_view.curve(image)
    st.header(tr("Download"))
    st.caption(tr_message(image.facts))
    result_view.show_downloads(image, request)
if request and request.method.key == "inversion":
    st.header(tr("Reconstructions from several layers"))
    by_layer.draw(request)
