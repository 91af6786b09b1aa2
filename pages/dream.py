"""Dream: what would it like to see?"""

import streamlit as st

from camviz.ui.dream import by_layer, result_view
from camviz.ui.dream.controls import choose, result
from camviz.ui.session.language import said, t
from camviz.ui.shell import pages
from camviz.ui.widgets import charts

experiment = pages.experiment()
st.title(t("What would it like to see?"))
st.caption(
    t("Pictures that are made for the network rather than shown to it, changed step by step until they excite it.")
)
left, right = st.columns([2, 3], gap="large")

with left:
    wish = choose(experiment)
with right:
    picture = result(wish) if wish else None
    if wish and picture:
        result_view.show(picture, wish)
        st.markdown(result_view.reading(picture, wish))
        st.caption(t("**What it does not say.** {caution}", caution=result_view.caution(picture)))
if wish and picture:
    answer, way = st.columns([2, 3], gap="large")
    with answer:
        st.header(t("What the network says of it"))
        result_view.says(result_view.predictions(picture.picture, wish))
    with way:
        st.header(t("How it went"))
        st.plotly_chart(result_view.curve(picture, charts.ink()), alt=t("The objective, step by step"))
    st.header(t("Take it away"))
    st.caption(said(picture.facts))
    result_view.take_away(picture, wish)
if wish and wish.method.key == "inversion":
    st.header(t("The deeper, the less is left"))
    by_layer.draw(wish)
