"""Dream: what would it like to see?"""

import streamlit as st

from camviz.ui import controls, dream, panels
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
    made = dream.result(wish) if wish else None
    if wish and made:
        dream.show(made, wish)
        st.markdown(dream.reading(made, wish))
        st.caption(t("**What it does not say.** {caution}", caution=dream.caution(made)))
if wish and made:
    answer, way = st.columns([2, 3], gap="large")
    with answer:
        st.header(t("What the network says of it"))
        dream.says(dream.predictions(made.picture, wish))
    with way:
        st.header(t("How it went"))
        st.plotly_chart(dream.curve(made, panels.ink()), alt=t("The objective, step by step"))
    st.header(t("Take it away"))
    st.caption(said(made.facts))
    dream.take_away(made, wish)
if wish and wish.method.key == "inversion":
    st.header(t("The deeper, the less is left"))
    dream.depths(wish)
