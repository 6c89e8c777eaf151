"""The toolbox the notebooks import. Import it before mxnet: MXNet reads its settings only once."""

from utils.setup import machine

LANGUAGES = ("en", "zh")
chosen_language = "en"

machine.prepare()


def language(code: str) -> None:
    """Choose the language of what the toolbox says: "en" for English, "zh" for Chinese.

    So far it remembers the choice, and says everything in English.
    """
    global chosen_language
    if code not in LANGUAGES:
        raise ValueError(
            "The toolbox does not speak {given!r}. The languages are: {languages}.".format(
                given=code, languages=", ".join(LANGUAGES)
            )
        )
    chosen_language = code
