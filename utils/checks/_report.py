"""What a check returns: the answer to each question, for learners to read and graders to count."""

from __future__ import annotations

from dataclasses import dataclass

from utils.setup.report import html_table

UNANSWERED = {"not written yet", "no prediction yet"}


@dataclass(eq=False)
class Mistake(Exception):  # noqa: N818 (the learner's, not an error of the program)
    """What is wrong, raised by the question that found it.

    `name` is the diagnosis in a few words. The others are whole sentences for the learner: what was
    observed and what was expected, why it matters, and where to look.
    """

    name: str
    seen: str
    why: str
    look: str

    def __str__(self) -> str:
        return f"{self.seen} {self.why} {self.look}"


@dataclass(frozen=True)
class Answer:
    """The answer to one question; `weight` is what it counts toward a grade."""

    name: str
    question: str
    weight: int
    mistake: Mistake | None = None

    @property
    def passed(self) -> bool:
        return self.mistake is None

    @property
    def diagnosis(self) -> str:
        """The mistake in a few words; empty if there is none."""
        return self.mistake.name if self.mistake else ""

    @property
    def message(self) -> str:
        """The mistake in sentences; empty if there is none."""
        return str(self.mistake) if self.mistake else ""

    @property
    def mark(self) -> str:
        """A sign and a word, so that nothing depends on color."""
        return "✓ right" if self.passed else "✗ look"


@dataclass(frozen=True, repr=False)
class Report:
    """The answers to all questions: a table in Jupyter, text anywhere else.

    Only the first mistake is explained. Those below it are often its consequences.
    """

    title: str
    answers: tuple[Answer, ...]

    @property
    def passed(self) -> bool:
        return all(answer.passed for answer in self.answers)

    @property
    def score(self) -> int:
        """The sum of the weights of the right answers."""
        return sum(answer.weight for answer in self.answers if answer.passed)

    @property
    def total(self) -> int:
        """The highest possible score."""
        return sum(answer.weight for answer in self.answers)

    @property
    def first_wrong(self) -> Answer | None:
        return next((answer for answer in self.answers if not answer.passed), None)

    @property
    def diagnosis(self) -> str:
        """The first mistake in a few words; empty if there is none."""
        return self.first_wrong.diagnosis if self.first_wrong else ""

    @property
    def _is_unanswered(self) -> bool:
        """Whether nothing has been written yet: then there is nothing to explain."""
        return all(answer.diagnosis in UNANSWERED for answer in self.answers)

    @property
    def verdict(self) -> str:
        """The result in a sentence, and the first mistake."""
        if self._is_unanswered:
            return "{title}: {diagnosis}.".format(title=self.title, diagnosis=self.diagnosis)
        verdict = "{title}: {right} of {count} answers are right."
        if not self.passed:
            verdict = "{title}: {right} of {count} answers are right. Look first at: {diagnosis}."
        right = sum(answer.passed for answer in self.answers)
        return verdict.format(
            title=self.title, right=right, count=len(self.answers), diagnosis=self.diagnosis
        )

    @property
    def _shown(self) -> tuple[Answer, ...]:
        """The answers that get a row: only the first if all questions met the same mistake."""
        if self._is_unanswered:
            return ()
        all_alike = len({answer.message for answer in self.answers}) == 1
        return self.answers[:1] if all_alike and not self.passed else self.answers

    def __repr__(self) -> str:
        width = max((len(answer.name) for answer in self._shown), default=0)
        lines = [self.verdict]
        for answer in self._shown:
            lines.append(f"{answer.mark:<7}  {answer.name:<{width}}  {answer.question}")
            if answer is self.first_wrong:
                lines += [f"{'':{width + 11}}{part}" for part in _explanation(answer)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = []
        for answer in self._shown:
            explanation = _explanation(answer) if answer is self.first_wrong else []
            rows.append((answer.mark, answer.name, [answer.question, *explanation]))
        return html_table(self.verdict, rows)


def _explanation(answer: Answer) -> list[str]:
    if not answer.mistake:
        return []
    return [
        answer.mistake.seen,
        "Why it matters: {why}".format(why=answer.mistake.why),
        "Where to look: {look}".format(look=answer.mistake.look),
    ]
