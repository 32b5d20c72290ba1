#!/usr/bin/env python3
"""Writes the dashboards. A panel is a title, a unit, and queries with what their lines are called.

    python3 grafana/make_dashboards.py            write grafana/dashboards/*.json
    python3 grafana/make_dashboards.py --check    fail when they differ from what would be written

That every query brings data is tested against a real Prometheus: tests/it/dashboards.rs.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "hive-prometheus"}


def rate(metric, by=""):
    """Each second, over all processes, by these labels."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}[$__rate_interval]))"


def quantile(q, histogram, by="", where=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket{where}[$__rate_interval])))"


def shared(metric, by=""):
    """What every scheduler shows alike: the largest is the newest."""
    return f"max{f' by ({by}) ' if by else ''}({metric})"


def latency(histogram):
    return [(quantile(0.5, histogram), "half"), (quantile(0.99, histogram), "99 of 100")]


# (title, unit, [(query, legend)], what it tells)
QUEUE = [
    ("Dead letters", "stat:none", [(shared("hive_dead_letters"), "dead")], "Tasks that wait for a person."),
    ("Running without a lease", "stat:none", [(shared("hive_running_without_lease"), "ghosts")],
     "Above 0 for longer than a moment, the reconciler does not work."),
    ("Oldest ready task", "stat:s", [(shared("hive_ready_oldest_seconds"), "waits")], "The longest wait of any lane."),
    ("Running", "stat:none", [(shared('hive_tasks{status="running"}'), "running")], "Tasks under a lease."),
    ("Tickets by lane", "none", [(shared("hive_queue_depth", "lane"), "{{lane}}")],
     "Nudges that wait in Redis. Lanes are fed up to a cap; the backlog itself is in Postgres."),
    ("Oldest ready task by lane", "s", [(shared("hive_ready_oldest_seconds", "lane"), "{{lane}}")],
     "Since the task last changed."),
    ("Tasks by state", "none", [(shared("hive_tasks", "status"), "{{status}}")], "Without those at a good or final end."),
    ("Waiting by reason", "none", [(shared("hive_waiting", "reason"), "{{reason}}")], "docs/STATES.md says what clears each."),
    ("In and out", "ops", [
        (rate("hive_tasks_created_total"), "created"),
        (rate('hive_tasks_settled_total{status=~"succeeded|failed|dead"}', "status"), "{{status}}"),
    ], "When more comes in than goes out for long, workers are missing."),
    ("Ends that are not successes, by reason", "ops", [
        (rate('hive_tasks_settled_total{status=~"failed|dead"}', "reason"), "{{reason}}"),
    ], "What agents fail of."),
    ("Parked and tried again, by reason", "ops", [
        (rate('hive_tasks_settled_total{status="waiting"}', "reason"), "{{reason}}"),
    ], "`retry` costs an attempt, the others none."),
    ("From ready to claimed, 95 of 100", "s", [(quantile(0.95, "hive_task_wait_seconds", "lane"), "{{lane}}")],
     "First claims of tasks that wait for no other, by the clock of the database."),
    ("Claiming", "s", latency("hive_claim_seconds"), "What Postgres takes to grant a claim."),
    ("Settling", "s", latency("hive_settle_seconds"), "What Postgres takes to end a run."),
    ("Runs", "s", latency("hive_run_seconds"), "From claim to settlement."),
    ("What the reconciler finds", "ops", [
        (rate("hive_tasks_orphaned_total"), "taken back from dead workers"),
        (rate("hive_tasks_released_total"), "released"),
        (rate("hive_tickets_reannounced_total"), "tickets written again"),
    ], "Orphans are workers that died. Tickets written again after a loss of Redis, or when lanes were full."),
    ("Tickets that came too late", "ops", [(rate("hive_tickets_stale_total"), "stale")],
     "Costs one question to Postgres each; many mean that Redis lost its bookkeeping."),
    ("Tickets announced, by outcome", "ops", [(rate("hive_queue_announced_total", "outcome"), "{{outcome}}")],
     "over_cap: the lane is full, the rest follows."),
]

MODEL = [
    ("Calls by outcome", "ops", [(rate("hive_llm_calls_total", "outcome"), "{{outcome}}")], "given_up: we cut the call."),
    ("Errors by class", "ops", [(rate('hive_llm_calls_total{outcome!~"ok|given_up"}', "outcome"), "{{outcome}}")],
     "What follows from each is decided in crates/claude/src/retry.rs."),
    ("Share of calls that succeed", "percentunit", [
        (rate('hive_llm_calls_total{outcome="ok"}') + " / " + rate('hive_llm_calls_total{outcome!="given_up"}'), "ok"),
    ], "Below a half for minutes, the provider is out."),
    ("Calls by model", "ops", [(rate("hive_llm_calls_total", "model"), "{{model}}")], "Model ids as configured."),
    ("Time of a call", "s", [
        (quantile(0.5, "hive_llm_call_seconds", "model"), "{{model}} half"),
        (quantile(0.95, "hive_llm_call_seconds", "model"), "{{model}} 95 of 100"),
    ], "From the request to the last event of the stream."),
    ("Tokens by kind", "none", [(rate("hive_llm_tokens_total", "kind"), "{{kind}}")], "Each second."),
    ("Share of the prompt read from the cache", "percentunit", [
        (rate('hive_llm_tokens_total{kind="cache_read"}') + " / "
         + rate('hive_llm_tokens_total{kind=~"input|cache_read|cache_write"}'), "read"),
    ], "Cached tokens cost a tenth."),
    ("Dollars an hour, by model", "currencyUSD", [
        (rate("hive_llm_cost_nano_usd_total", "model") + " * 3600 / 1e9", "{{model}}"),
    ], "Priced by crates/claude/prices.toml."),
    ("Dollars in the shown range", "stat:currencyUSD", [
        ("sum(increase(hive_llm_cost_nano_usd_total[$__range])) / 1e9", "spent"),
    ], "Since Prometheus began, at most."),
    ("Steps by kind", "ops", [(rate("hive_steps_total", "kind"), "{{kind}}")], "Journal entries each second."),
    ("Time of a step, 95 of 100", "s", [(quantile(0.95, "hive_step_seconds", "kind"), "{{kind}}")],
     "From the step before it."),
    ("Time of a tool, 95 of 100", "s", [(quantile(0.95, "hive_tool_seconds", "tool"), "{{tool}}")], "other: a name that was invented."),
    ("Tool calls by outcome", "ops", [(rate("hive_tool_seconds_count", "outcome"), "{{outcome}}")],
     "error: the model read what was wrong and went on."),
    ("Commands in the sandbox, by end", "ops", [(rate("hive_sandbox_commands_total", "outcome"), "{{outcome}}")],
     "Tools and checks."),
    ("Commands ended by the sandbox, by limit", "ops", [(rate("hive_sandbox_kills_total", "limit"), "{{limit}}")],
     "cancelled: the task was, or its worker stopped."),
    ("Messages between agents, by audience", "ops", [(rate("hive_messages_sent_total", "audience"), "{{audience}}")],
     "Accepted and stored; one to many counts once."),
    ("Messages: deliveries and arrivals", "ops", [
        (rate("hive_messages_deliveries_total"), "to deliver"),
        (rate("hive_messages_acknowledged_total", "by"), "arrived, by the word of a {{by}}"),
    ], "One for each receiver. Fewer arrive than are to be delivered while agents are idle or slow."),
    ("Messages that do not arrive", "ops", [
        (rate("hive_messages_redelivered_total"), "on their way again"),
        (rate("hive_messages_dead_total"), "dead"),
        (rate("hive_messages_breakers_opened_total"), "receivers closed to senders"),
    ], "hive message list AGENT names the last error of each; hive message dead lists what is dead."),
]

FLEET = [
    ("Processes that answer", "stat:none", [("sum by (job) (up)", "{{job}}")], "By kind."),
    ("Sandbox of the workers", "stat:none", [("count by (level) (hive_sandbox_info)", "{{level}}")], "off: unconfined."),
    ("Versions", "stat:none", [("count by (process, version, revision) (hive_build_info)", "{{process}} {{version}} {{revision}}")],
     "More than one of a kind during an upgrade."),
    ("Slots and runs", "none", [("sum(hive_worker_slots)", "slots"), ("sum(hive_worker_running)", "running")],
     "Full for long: more workers, docker compose up --scale worker=8."),
    ("Share of slots in use, by worker", "percentunit", [("hive_worker_running / hive_worker_slots", "{{instance}}")],
     "One that stays at 1 while others idle is stuck."),
    ("Memory", "bytes", [("process_resident_memory_bytes", "{{job}} {{instance}}")], "In RAM."),
    ("Stores, as the processes see them", "none", [("min by (component) (hive_component_up)", "{{component}}")],
     "0: at least one process does not reach it."),
    ("Leases lost", "ops", [(rate("hive_leases_lost_total"), "lost")], "Cancelled tasks included."),
    ("Since a duty last succeeded", "s", [
        ("time() - max by (duty) (hive_scheduler_duty_last_success_timestamp)", "{{duty}}"),
    ], "In any scheduler."),
    ("Time of a duty, 99 of 100", "s", [(quantile(0.99, "hive_scheduler_duty_seconds", "duty"), "{{duty}}")], "One pass."),
    ("Duties that failed", "ops", [(rate("hive_scheduler_duty_failed_total", "duty"), "{{duty}}")], "Passes; each is tried again."),
    ("Tickets taken, by lane", "ops", [(rate("hive_queue_taken_total", "lane"), "{{lane}}")], "By all workers."),
    ("Log lines dropped", "ops", [(rate("hive_log_dropped_total"), "dropped")], "Whoever reads the logs is too slow."),
]

API = [
    ("Requests by status", "ops", [(rate("http_requests_total", "status"), "{{status}}")], "Health and metrics included."),
    ("Share of requests without a 5xx", "percentunit", [
        (rate('http_requests_total{status!~"5.."}') + " / " + rate("http_requests_total"), "ok"),
    ], "The service level."),
    ("Requests by route", "ops", [(rate("http_requests_total", "method, route"), "{{method}} {{route}}")],
     "none: no such route."),
    ("Time of a request", "s", latency("http_request_seconds"), "Until the head of the answer is sent."),
    ("Time by route, 95 of 100", "s", [(quantile(0.95, "http_request_seconds", "route"), "{{route}}")], "Streams only until they begin."),
    ("Refused, by route and status", "ops", [(rate('http_requests_total{status=~"4.."}', "route, status"), "{{route}} {{status}}")],
     "Callers' mistakes."),
    ("Watchers", "none", [("sum(hive_event_streams)", "streams")], "Open event streams."),
]

SEARCH = '{route="/api/v1/context/search"}'
MEMORY = [
    ("Late to wake", "stat:s", [(shared("hive_sleep_late_seconds"), "late")], "Above 10 the duty `sleep` does not work."),
    ("Entries without vectors", "stat:none", [(f'sum({shared("hive_vectors_refused", "of")})', "refused")],
     "The embedder refused their text; they are found by words alone."),
    ("Agents that are not awake", "none", [(shared("hive_agents_asleep", "state"), "{{state}}")], "By where they stand."),
    ("Agents fall asleep, by trigger", "ops", [(rate("hive_sleeps_total", "trigger"), "{{trigger}}")],
     "manual: a person said so."),
    ("Nights, by how they ended", "ops", [(rate("hive_nights_total", "state"), "{{state}}")],
     "rejected_by_gate: the memory would have answered worse, and stayed as it was. `hive cycle show` says why one failed."),
    ("Tokens of a task that succeeds", "none", [(shared("hive_sleep_tokens_per_task", "when"), "{{when}} the last night")],
     "What the nights save, in the mean over the tasks of agents that slept."),
    ("Time of a search of memory", "s", [
        (quantile(0.5, "http_request_seconds", where=SEARCH), "half"),
        (quantile(0.95, "http_request_seconds", where=SEARCH), "95 of 100"),
        (quantile(0.95, "hive_recall_seconds", "route"), "95 of 100, {{route}} of runs"),
    ], "As callers see it; and of runs, which search in their worker when they begin and when they call recall."),
    ("Messages, by what became of them", "ops", [
        (rate("hive_messages_deliveries_total"), "accepted"),
        (rate("hive_messages_acknowledged_total"), "arrived"),
    ], "For each receiver one."),
    ("Checkpoints, by how they ended", "ops", [(rate("hive_checkpoints_total", "outcome"), "{{outcome}}")], "Of all workers."),
]


def panel(number, title, unit, queries, tells, x, y, w, h):
    stat = unit.startswith("stat:")
    made = {
        "id": number,
        "type": "stat" if stat else "timeseries",
        "title": title,
        "description": tells,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": w, "h": h},
        "fieldConfig": {"defaults": {"unit": unit.removeprefix("stat:"), "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + n), "datasource": SOURCE, "expr": query, "legendFormat": legend, "editorMode": "code", "range": True}
            for n, (query, legend) in enumerate(queries)
        ],
    }
    if stat:
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    else:
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return made


def dashboard(uid, title, panels):
    made, x, y, row = [], 0, 0, 0
    for number, (name, unit, queries, tells) in enumerate(panels, 1):
        w, h = (6, 4) if unit.startswith("stat:") else (8, 8)
        if x + w > 24 or (row and h != row):
            x, y = 0, y + row
        made.append(panel(number, name, unit, queries, tells, x, y, w, h))
        x, row = x + w, h
    return {
        "uid": uid, "title": title, "tags": ["agent-hive"], "schemaVersion": 39, "version": 1, "editable": False,
        "timezone": "utc", "refresh": "10s", "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["agent-hive"], "title": "Agent Hive", "asDropdown": True}],
        "templating": {"list": []}, "annotations": {"list": []}, "panels": made,
    }


DASHBOARDS = {
    "queue-and-tasks": dashboard("hive-queue", "Queue and tasks", QUEUE),
    "agents-and-model": dashboard("hive-model", "Agents and model", MODEL),
    "fleet": dashboard("hive-fleet", "Fleet", FLEET),
    "api": dashboard("hive-api", "API", API),
    "memory-and-nights": dashboard("hive-memory", "Memory and nights", MEMORY),
}


def main():
    check, wrong = sys.argv[1:] == ["--check"], []
    for name, made in DASHBOARDS.items():
        path, text = HERE / f"{name}.json", json.dumps(made, indent=1) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(path.name)
    known = {f"{name}.json" for name in DASHBOARDS}
    wrong += [path.name for path in HERE.glob("*.json") if path.name not in known]
    if wrong:
        sys.exit(f"{', '.join(sorted(wrong))}: not what grafana/make_dashboards.py writes; run it")


main()
