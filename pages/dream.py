"""Dream: what would it like to see?"""

import streamlit as st

from camviz.ui.dream import by_layer, result_view
from camviz.ui.dream.controls import choose, result
from camviz.ui.session.language import tr, tr_message
from camviz.ui.shell import pages
from camviz.ui.widgets import charts

experiment = pages.experiment()
st.title(tr("What would it like to see?"))
st.caption(
    tr("Pictures that are made for the network rather than shown to it, changed step by step until they excite it.")
)
left, right = st.columns([2, 3], gap="large")

with left:
    request = choose(experiment)
with right:
    picture = result(request) if request else None
    if request and picture:
        result_view.show(picture, request)
        st.markdown(result_view.reading(picture, request))
        st.caption(tr("**What it does not say.** {caution}", caution=result_view.caution(picture)))
if request and picture:
    answer, way = st.columns([2, 3], gap="large")
    with answer:
        st.header(tr("What the network says of it"))
        result_view.says(result_view.predictions(picture.picture, request))
    with way:
        st.header(tr("How it went"))
        st.plotly_chart(result_view.curve(picture, charts.ink()), alt=tr("The objective, step by step"))
    st.header(tr("Take it away"))
    st.caption(tr_message(picture.facts))
    result_view.take_away(picture, request)
if request and request.method.key == "inversion":
    st.header(tr("The deeper, the less is left"))
    by_layer.draw(request)
