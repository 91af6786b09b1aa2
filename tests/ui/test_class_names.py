"""Common names of ImageNet's classes, and where they are shown."""

import pickle
import re
from dataclasses import replace

import pytest

import camviz
from camviz import captions
from camviz.models import Prediction
from camviz.models.class_names import ImageNetName
from camviz.models.sources import imagenet_labels
from camviz.ui.session import class_names, language

CHECKED = {  # index: ImageNet's name, the English one, the Chinese one
    0: ("tench", "tench", "丁鱥"),
    15: ("robin", "American robin", "旅鸫"),
    20: ("water ouzel", "dipper (bird)", "河乌"),
    40: ("American chameleon", "green anole", "绿安乐蜥"),
    47: ("African chameleon", "chameleon", "变色龙"),
    76: ("tarantula", "tarantula", "捕鸟蛛"),
    77: ("wolf spider", "wolf spider", "狼蛛"),
    97: ("drake", "male duck", "公鸭"),
    105: ("koala", "koala", "考拉"),
    134: ("crane bird", "crane (bird)", "鹤"),
    140: ("red-backed sandpiper", "dunlin", "黑腹滨鹬"),
    208: ("Labrador retriever", "Labrador retriever", "拉布拉多寻回犬"),
    242: ("boxer", "boxer (dog)", "拳师犬"),
    264: ("Cardigan", "Cardigan Welsh corgi", "卡迪根威尔士柯基犬"),
    269: ("timber wolf", "gray wolf", "灰狼"),
    285: ("Egyptian cat", "Egyptian cat", "埃及猫"),
    296: ("ice bear", "polar bear", "北极熊"),
    340: ("zebra", "zebra", "斑马"),
    373: ("macaque", "macaque", "猕猴"),
    383: ("Madagascar cat", "ring-tailed lemur", "环尾狐猴"),
    387: ("lesser panda", "red panda", "小熊猫"),
    388: ("giant panda", "giant panda", "大熊猫"),
    393: ("anemone fish", "clownfish", "小丑鱼"),
    408: ("amphibian", "amphibious vehicle", "水陆两用车"),
    437: ("beacon", "lighthouse", "灯塔"),
    468: ("cab", "taxi", "出租车"),
    474: ("cardigan", "cardigan (sweater)", "开襟毛衣"),
    517: ("crane", "crane (machine)", "起重机"),
    560: ("football helmet", "football helmet", "橄榄球头盔"),
    612: ("jinrikisha", "rickshaw", "人力车"),
    638: ("maillot", "one-piece swimsuit (maillot)", "连体泳衣"),
    639: ("maillot tank suit", "one-piece swimsuit (tank suit)", "背心式连体泳衣"),
    681: ("notebook", "notebook computer", "笔记本电脑"),
    747: ("punching bag", "punching bag", "拳击沙袋"),
    751: ("racer", "race car", "赛车"),
    840: ("swab", "mop", "拖把"),
    925: ("consomme", "consommé (clear soup)", "清汤"),
    934: ("hotdog", "hot dog", "热狗"),
    959: ("carbonara", "spaghetti carbonara", "培根蛋酱意面"),
    967: ("espresso", "espresso", "意式浓缩咖啡"),
    989: ("hip", "rose hip", "蔷薇果"),
    999: ("toilet tissue", "toilet paper", "卫生纸"),
}
LEMUR = ImageNetName("Madagascar cat")


@pytest.mark.parametrize("code", language.LANGUAGES)
def test_each_language_names_1000_classes(code: str):
    names = class_names.common_names(code)
    assert len(names) == len(set(names)) == len(imagenet_labels()) == 1000
    assert [name for name in names if name != name.strip() or not 0 < len(name) <= 40] == []


def test_checked_names_belong_to_their_classes():
    found = [(imagenet_labels()[i], *(class_names.common_names(code)[i] for code in ("en", "zh"))) for i in CHECKED]
    assert found == list(CHECKED.values())


def test_english_names_are_unambiguous_and_chinese_names_chinese():
    labels, english, chinese = imagenet_labels(), class_names.common_names("en"), class_names.common_names("zh")
    assert [name for i, name in enumerate(english) if name in labels and labels.index(name) != i] == []
    assert [
        name
        for name in chinese
        if not re.fullmatch(r"[\u3400-\u9fff]+|(CD |iPod )[\u4e00-\u9fff]+|\w+ T [\u4e00-\u9fff]+|T 恤衫", name)
    ] == []


def test_lists_show_both_names_and_sentences_the_common_one(lite0):
    assert language.tr_class(LEMUR) == "ring-tailed lemur (ImageNet: Madagascar cat)"
    assert [language.tr_class(lite0.categories[index]) for index in (105, 242)] == ["koala", "boxer (dog)"]
    assert language.tr("Predicted: {label}", label=lite0.categories[383]) == "Predicted: ring-tailed lemur"
    assert language.translated(language.Message("{label}: {share}", label=LEMUR, share="3%"), "zh") == "环尾狐猴：3%"


def test_chinese_sentences_have_spaces_around_latin_names_only():
    evidence = "The highlighted region is evidence for {label}{where}."
    translated = [
        language.translated(language.Message(evidence, label=label, where=""), "zh")
        for label in (LEMUR, ImageNetName("jersey"), "Madagascar cat", "我的 类别")
    ]
    assert translated == [
        "突出显示的区域是支持环尾狐猴的证据。",
        "突出显示的区域是支持 T 恤衫的证据。",
        "突出显示的区域是支持 Madagascar cat 的证据。",
        "突出显示的区域是支持 我的 类别 的证据。",
    ]


def test_package_keeps_imagenet_names(lite0, coffee):
    e = camviz.explain(lite0, coffee, target="Madagascar cat")
    assert (e.label, e.target, lite0.categories[383]) == ("Madagascar cat", 383, "Madagascar cat")
    text = captions.reading(e, Prediction(383, lite0.categories[383], 0.5))
    assert "Madagascar cat" in text and "lemur" not in text
    assert "Madagascar cat" not in language.tr_message(text) and "ring-tailed lemur" in language.tr_message(text)


def test_only_imagenet_names_have_common_names(lite0):
    given = camviz.load_model("squeezenet1_1", weights="random", categories=[str(name) for name in lite0.categories])
    assert language.tr_message(given.categories[383]) == "ring-tailed lemur"
    others = [*map(str, lite0.categories[:-1]), "something else"]
    mine = camviz.load_model("squeezenet1_1", weights="random", categories=others)
    assert language.tr_message(mine.categories[383]) == language.tr_class(mine.categories[383]) == "Madagascar cat"


def test_imagenet_name_survives_a_copy():
    copied = pickle.loads(pickle.dumps(replace(Prediction(383, LEMUR, 0.5), value=1.0))).label
    assert type(copied) is ImageNetName and language.tr_message(copied) == "ring-tailed lemur"
