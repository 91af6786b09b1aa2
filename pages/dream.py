"""Dream: what would it like to see?"""

import streamlit as st

from camviz.ui import controls, depths, dream, made, panels
from camviz.ui.language import said, t

experiment = controls.experiment()
st.title(t("What would it like to see?"))
st.caption(
    t("Pictures that are made for the network rather than shown to it, changed step by step until they excite it.")
)
left, right = st.columns([2, 3], gap="large")

with left:
    wish = dream.choose(experiment)
with right:
    picture = dream.result(wish) if wish else None
    if wish and picture:
        made.show(picture, wish)
        st.markdown(made.reading(picture, wish))
        st.caption(t("**What it does not say.** {caution}", caution=made.caution(picture)))
if wish and picture:
    answer, way = st.columns([2, 3], gap="large")
    with answer:
        st.header(t("What the network says of it"))
        made.says(made.predictions(picture.picture, wish))
    with way:
        st.header(t("How it went"))
        st.plotly_chart(made.curve(picture, panels.ink()), alt=t("The objective, step by step"))
    st.header(t("Take it away"))
    st.caption(said(picture.facts))
    made.take_away(picture, wish)
if wish and wish.method.key == "inversion":
    st.header(t("The deeper, the less is left"))
    depths.draw(wish)
