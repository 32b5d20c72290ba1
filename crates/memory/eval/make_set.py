"""Makes the evaluation set out of the hand-written material. The same bytes each time; `--check` compares them.

The material says what is known and what is asked. This file only lays it out in time and scopes, adds small talk, what an
agent read back from its memory, and reports that differ in an identifier. README.md tells the rest.
"""

import datetime
import json
import pathlib
import sys

import material
from dice import Dice
from reports import family, reports

SEED = "hive-eval-1"
SET = pathlib.Path(__file__).parent / "set"
START = datetime.datetime(2026, 1, 5, 7, 0, tzinfo=datetime.timezone.utc)
DAYS = 170

CREWS = {
    "parcel": ["builder-1", "builder-4", "planner", "reviewer-1", "tester-3", "ops-1", "integrator-1"],
    "ledger": ["builder-2", "builder-7", "planner", "reviewer-4", "controller-1", "ops-2"],
    "atlas": ["builder-8", "builder-9", "planner", "reviewer-6", "cartographer-1", "designer-1", "ops-3"],
    "post": ["clerk-2", "postmaster", "reviewer-8"],
    "": ["planner", "ops-1", "builder-3", "reviewer-2", "tester-1"],
}
READ_BACK = [
    "Read back from memory: {}",
    "My context for this task says: {}",
    "As far as the store remembers: {}",
    "Among the notes I was given: {}",
]
STRAY = [
    "Did anyone look at {}?",
    "Is {} still on somebody's list?",
    "I keep seeing {} in the channel, who has it?",
    "Same as {}, or do I mix them up?",
    "{} again.",
]
PREFIX = {"run": "run ", "code": "PX-", "commit": "", "ticket": "PAR-", "request": "req_"}


class Mention:
    """Something that is said once: its turns, and what they are evidence of."""

    def __init__(self, scope, day, fact, mark, words, lead=None, origin=None, junk=False):
        self.scope, self.day, self.fact, self.mark = scope, day, fact, mark
        self.words, self.lead, self.origin, self.junk = words, lead, origin, junk
        self.turn = None


def crew(scope):
    parts = scope.split("/")
    return CREWS[parts[1] if len(parts) > 1 else ""]


def visible(scope, asker):
    """Whether what is said in a scope may be heard by the asker: the scope itself and those around it."""
    return asker == scope or asker.startswith(scope + "/")


def mentions_of(fact):
    """A fact's statements, each some weeks after the one before."""
    dice = Dice(SEED, f"days/{fact.id}")
    count, made = len(fact.said), []
    span = DAYS // count
    for index, (mark, words, lead) in enumerate(fact.said):
        day = index * span + dice.between(1, max(1, span - 8))
        made.append(Mention(fact.scope, day, fact, mark, words, lead))
    return made


def read_backs(mentions):
    """What agents repeat from their memory: it is no new knowledge, and some of it is superseded by then."""
    dice, made = Dice(SEED, "read back"), []
    for mention in mentions:
        later = [m for m in mentions if m.fact is mention.fact and m.day > mention.day]
        old = mention.mark == "|" and later
        if mention.scope.count("/") != 1 or mention.lead or dice.below(3 if old else 12):
            continue
        after = max([mention.day, *(m.day for m in later)])
        if mention.mark != "|" or after + 3 > DAYS:
            continue
        words = dice.pick(READ_BACK).format(mention.words)
        day = dice.between(after + 2, DAYS)
        made.append(Mention(mention.scope, day, mention.fact, "echo", words, origin="recalled", junk=True))
        made[-1].of = mention
    return made


def sessions(mentions):
    """Groups what is said in one scope into conversations of a few topics each."""
    dice = Dice(SEED, f"sessions/{mentions[0].scope}")
    waiting = sorted(mentions, key=lambda m: m.day)
    while waiting:
        size, group = dice.between(4, 7), []
        while waiting and len(group) < size and all(m.fact is not waiting[0].fact for m in group):
            group.append(waiting.pop(0))
        yield group


def talk(mentions, small_talk):
    """Lays mentions out as turns: yields them without ids."""
    for number, group in enumerate(sessions(mentions), 1):
        scope = group[0].scope
        name = f"{scope.replace('/', '-')}-{number:03}"
        dice = Dice(SEED, f"talk/{name}")
        at = START + datetime.timedelta(days=group[-1].day, minutes=dice.between(0, 500))
        # An agent's notes are its own words.
        people = [scope.split("/")[2]] if scope.count("/") == 2 else crew(scope)

        def turn(speaker, text, **more):
            nonlocal at
            at += datetime.timedelta(seconds=dice.between(40, 400))
            stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            return {"session": name, "at": stamp, "speaker": speaker, "scope": scope, "text": text, **more}

        for mention in group:
            if len(people) > 1 and dice.below(5) < 2:
                yield None, turn(dice.pick(people), dice.pick(small_talk), junk=True)
            speaker = dice.pick(people)
            if mention.lead:
                yield None, turn(dice.pick([one for one in people if one != speaker]), mention.lead)
            more = {"origin": mention.origin} if mention.origin else {}
            if mention.junk:
                more["junk"] = True
            yield mention, turn(speaker, mention.words, **more)


def between(one, other):
    """The middle of two times."""
    a, b = (datetime.datetime.fromisoformat(x.replace("Z", "+00:00")) for x in (one, other))
    return (a + (b - a) / 2).strftime("%Y-%m-%dT%H:%M:%SZ")


def questions_of(fact, by_fact, turns, words, asker, kind, group):
    """The questions about a fact that one asker has."""
    said = [m for m in by_fact[fact.id] if m.mark != "echo"]
    echoes = [m for m in by_fact[fact.id] if m.mark == "echo"]
    ruling = [m for m in said if m.mark == "!"]
    made = []

    def ask(text, kind, evidence, stale, as_of=None):
        question = {"class": kind, "group": group, "scope": asker, "text": text}
        if as_of:
            question["as_of"] = as_of
        question["evidence"] = sorted(m.turn for m in evidence)
        stale = sorted(m.turn for m in stale if as_of is None or turns[m.turn]["at"] <= as_of)
        if stale:
            question["stale"] = stale
        made.append(question)

    for version, text in words:
        if ruling:
            right = [m for m in said if m.mark == "~+"]
            wrong = [m for m in said if m.mark == "~-"]
            # The ruling is the evidence; the claim that it confirms is neither needed nor wrong.
            assert right and wrong
            ask(text, "contradiction", ruling, wrong)
        elif any(m.mark == "~" for m in said):
            ask(text, "contradiction", said, [])
        else:
            old = said[:-1]
            repeated = [e for e in echoes if e.of in old]
            changed = "update" if old else kind
            ask(text, changed, said[-1:], old + repeated)
            if version == -1:
                for index, then in enumerate(old):
                    until = turns[said[index + 1].turn]["at"]
                    stale = old[:index] + [e for e in echoes if e.of in old[:index]]
                    ask(text, "as_of", [then], stale, between(turns[then.turn]["at"], until))
    return made


def make():
    facts = [f for name in ("parcel", "ledger", "atlas", "fleet", "disputes") for f in material.facts(f"{name}.txt")]
    twins, private = material.facts("heron.txt"), material.facts("private.txt")
    told = list(reports(material.kinds("reports.txt"), SEED))

    mentions = [m for fact in facts + twins + private for m in mentions_of(fact)]
    mentions += read_backs(mentions)
    dice = Dice(SEED, "reports/days")
    about = {}
    for kind, name, words, question in told:
        fact = material.Fact("lark", kind, name)
        about[fact.id] = (kind, name, question)
        mentions.append(Mention("lark", dice.between(1, DAYS), fact, "|", words))
        if question and dice.below(2):
            project = dice.pick(["lark/parcel", "lark/ledger", "lark/atlas"])
            stray = dice.pick(STRAY).format(PREFIX[kind] + name)
            mentions.append(Mention(project, dice.between(1, DAYS), fact, "stray", stray, junk=True))

    small_talk = material.lines("chatter.txt")
    scopes = sorted({m.scope for m in mentions})
    laid = [pair for scope in scopes for pair in talk([m for m in mentions if m.scope == scope], small_talk)]
    laid.sort(key=lambda pair: (pair[1]["at"], pair[1]["session"]))
    turns, by_fact = {}, {}
    for number, (mention, turn) in enumerate(laid, 1):
        turns[f"t{number:04}"] = turn
        if mention:
            mention.turn = f"t{number:04}"
            by_fact.setdefault(mention.fact.id, []).append(mention)

    questions, askers = [], {}
    wording = {(f.entity, f.attribute): f for f in facts}
    for fact in facts + twins + private:
        dice = Dice(SEED, f"asker/{fact.id}")
        words, kind, group = fact.asked, "paraphrase", fact.id
        if fact in twins:
            # The same words as in the other company, and in the same split as there.
            twin = wording.get((fact.entity, fact.attribute), fact)
            words = [(0, text if isinstance(text, str) else twin.asked[text - 1][1]) for _, text in words]
            kind, group = "scope", twin.id
        if fact.scope.count("/") == 2:
            asker, kind = fact.scope, "scope"
        elif fact.scope.count("/") == 1:
            asker = f"{fact.scope}/{dice.pick(crew(fact.scope))}"
        else:
            project = dice.pick(["parcel", "ledger", "atlas"])
            asker = f"{fact.scope}/{project}/{dice.pick(CREWS[project])}"
        askers[fact.id] = asker
        questions += questions_of(fact, by_fact, turns, words, asker, kind, group)
    for fact, (_, _, question) in about.items():
        if question:
            dice = Dice(SEED, f"asker/{fact}")
            project = dice.pick(["parcel", "ledger", "atlas"])
            asker = askers[fact] = f"lark/{project}/{dice.pick(CREWS[project])}"
            evidence = [m.turn for m in by_fact[fact] if m.mark == "|"]
            questions.append({"class": "exact", "group": fact, "scope": asker, "text": question, "evidence": evidence})

    numbered = [{"id": f"q{number:04}", **question} for number, question in enumerate(questions, 1)]
    return {
        "turns.jsonl": [{"id": id, **turn} for id, turn in turns.items()],
        "questions.jsonl": numbered,
        "facts.jsonl": listed(facts + twins + private, about, by_fact, turns, askers),
    }


def listed(facts, about, by_fact, turns, askers):
    """Each fact that is asked for, with the turns that state it and those that an asker could take for them."""
    made = []
    for fact in facts:
        asker, near = askers[fact.id], []
        for other in facts:
            same = (other.entity == fact.entity, other.attribute == fact.attribute)
            if other.id != fact.id and any(same) and visible(other.scope, asker):
                near += [m.turn for m in by_fact[other.id]]
        made.append(entry(fact.id, fact.entity, fact.attribute, by_fact[fact.id], near))
    for id, (kind, name, question) in about.items():
        if not question:
            continue
        near = [m.turn for m in by_fact[id] if m.mark != "|"]
        for other, (its_kind, its_name, _) in about.items():
            alike = its_kind == kind and family(kind, its_name) == family(kind, name)
            near += [m.turn for m in by_fact[other] if other != id and (alike or name in m.words)]
        near = [turn for turn in near if visible(turns[turn]["scope"], askers[id])]
        made.append(entry(id, kind, name, [m for m in by_fact[id] if m.mark == "|"], near))
    return made


def entry(id, entity, attribute, mentions, near):
    stated = sorted(m.turn for m in mentions)
    return {"id": id, "entity": entity, "attribute": attribute, "turns": stated, "near": sorted(set(near))}


def written(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main():
    made = {name: written(rows) for name, rows in make().items()}
    if "--check" in sys.argv[1:]:
        wrong = [n for n, text in made.items() if (SET / n).read_bytes() != text.encode()]
        if wrong:
            sys.exit(f"not what the material makes: {', '.join(wrong)}; run {pathlib.Path(__file__).name}")
        return
    SET.mkdir(exist_ok=True)
    for name, text in made.items():
        (SET / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
