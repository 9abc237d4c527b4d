#!/usr/bin/env python3
"""Writes the dashboards of Grafana, for the overlay `monitoring`.

usage: dashboards.py DIRECTORY

The schema is that of Grafana 10 and 11. What a query may lean on is told in docs/dashboards.md.
"""

import json
import sys
from pathlib import Path

# One meaning each, on all dashboards. What is not known is neither green nor red.
GOOD = "green"
LIMPS = "yellow"
SERIOUS = "orange"
BROKEN = "red"
ALONE = "dark-red"
UNKNOWN = "#8e8e8e"
AMOUNT = "blue"

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DOCS = "https://github.com/netsplit/netsplit/blob/main/docs"
JOBS = "network-partition-detector(-host)?"
# How often the shipped monitor scrapes: no step is shorter, and rates look back over four of them.
SCRAPE = "10s"

OURS = 'cluster=~"$cluster",job=~"$job"'
ENDPOINTS = OURS + ',endpoint=~"$endpoint"'
PROMETHEUS = 'cluster=~"$cluster",instance=~"$prometheus"'
QUEUE = "cluster, instance, remote_name"
# Those in the nodes' network are beside those in the pods': each are counted by themselves.
AGENTS = "cluster, job"


# Queries ----------------------------------------------------------------------------------------------------


def like(label, value, how="="):
    return f'{label}{how}"{value}"'


def seen(metric, labels="", window="1m", of=OURS):
    """What was told last, for a minute more than the scrape: a cut often cuts the scrape as well. Not for what is one of
    several words, where the word before would count, too."""
    return f"last_over_time({metric}{{{of}{',' if labels else ''}{labels}}}[{window}])"


def now(metric, labels="", of=OURS):
    return f"{metric}{{{of}{',' if labels else ''}{labels}}}"


def rate(metric, labels="", of=OURS):
    return f"rate({now(metric, labels, of)}[$__rate_interval])"


def tagged(expression, tag):
    """Keeps series apart that have the same labels: `or` takes but one of those."""
    return f'label_replace({expression}, "is", "{tag}", "", "")'


def worst(labels, expressions):
    union = "\n  or ".join(expressions)
    return f"max by ({labels}) (\n  {union}\n)"


CUTS = 'kind=~"complete|partial|simplex|overlay|service"'

# 4 partition, 3 a node alone, 2 nodes not heard, 1 none seen and some cannot tell, 0 none, -1 nobody can tell,
# -2 no agent.
IS_THERE_A_PARTITION = (
    worst(
        "cluster",
        [
            f"({seen('netsplit_partition_active', CUTS)} == 1) * 4",
            # Several that are alone are a partition, as the alert has it.
            "((count by (cluster) (max by (cluster, node) ("
            + seen("netsplit_mode", 'mode="isolated"')
            + " == 1 and on (cluster, job, instance) "
            + seen("netsplit_peers_down", 'cause="network"')
            + " > 0)) >= 2) * 0 + 4)",
            f"({seen('netsplit_partition_active', like('kind', 'isolation'))} == 1) * 3",
            f"({seen('netsplit_peers_down', like('cause', 'network'))} > bool 0) * 2",
            f"((({now('up')} * 0 + 1) unless on (cluster, job, instance) {seen('netsplit_partition_active')})"
            + f" and on (cluster) {seen('netsplit_partition_active')})",
            f"{seen('netsplit_partition_active')} * 0",
            f"{now('up')} * 0 - 1",
        ],
    )
    + f"\nor absent({now('up')}) * -2"
)

OPEN_KINDS = f"max by (cluster, kind) ({seen('netsplit_partition_active')}) == 1"
OPENED = (
    f"min by (cluster, kind) ({seen('netsplit_partition_opened_timestamp_seconds')})\n"
    f"and on (cluster, kind) ({OPEN_KINDS})"
)

PARTITION_TIMELINE = (
    f"max by (cluster, kind) ({seen('netsplit_partition_active', like('kind', 'isolation', '!='))})\n"
    f"or max by (cluster, kind) ({seen('netsplit_partition_active', like('kind', 'isolation'))}) * 2"
)

# In the order of their gravity. Of two agents on a node the graver one counts.
MODES = [
    (1, "normal", GOOD),
    (2, "starting", UNKNOWN),
    (3, "degraded", LIMPS),
    (4, "majority", SERIOUS),
    (5, "minority", BROKEN),
    (6, "isolated", ALONE),
]
MODE_OF_NODES = worst(
    "cluster, node",
    [f"({seen('netsplit_mode', like('mode', mode))} == 1) * {code}" for code, mode, _ in MODES] + [f"{now('up')} * 0"],
)


def zones(labels=""):
    return f"sum by (cluster, source_zone, destination_zone) ({seen('netsplit_zone_links', labels)})"


def named_zones(links):
    """Who has no zone is in one that can be read."""
    for side in ("source_zone", "destination_zone"):
        links = f'label_replace(\n{links},\n"{side}", "(none)", "{side}", "")'
    return links


# The share that is broken. Where none is, and more than a tenth is unknown, nobody can tell: -1.
ZONE_PAIRS = named_zones(
    f"({zones(like('state', 'broken'))} > 0) / {zones()}\n"
    f"or ({zones(like('state', 'unknown'))} / {zones()} > 0.1) * 0 - 1\n"
    f"or {zones()} * 0"
)

UNREACHED = (
    f"1 - avg by (cluster, endpoint, type) ({seen('netsplit_endpoint_up', window='2m', of=ENDPOINTS)})\n"
    "or count by (cluster, endpoint, type) ("
    f"{seen('netsplit_endpoint_probes_total', like('outcome', 'success'), of=ENDPOINTS)}) * 0 - 1"
)

# 5 its loop stands, 4 blind, 3 distrusts its own row, 2 starting, 1 judges, 0 does not answer Prometheus.
AGENT_STATES = worst(
    "cluster, node",
    [
        now("up"),
        f"({now('netsplit_mode', like('mode', 'starting'))} == 1) * 2",
        tagged(f"({now('netsplit_impaired')} == 1) * 3", "impaired"),
        f"({now('netsplit_blind')} == 1) * 4",
        tagged(f"({now('netsplit_view_age_seconds')} > bool 5) * 5", "still"),
    ],
)


def remote(metric, labels=""):
    return f"max by ({QUEUE}) ({now('prometheus_remote_storage_' + metric, labels, of=PROMETHEUS)})"


# The rule of the alerts, which knows the versions, restarts, and queues that have sent nothing yet.
LAG = f"max by ({QUEUE}) ({now('netsplit:remote_write_lag_seconds', of=PROMETHEUS)})"


# Panels -----------------------------------------------------------------------------------------------------


def steps(*pairs):
    """Thresholds: the colour below the first value, then each colour from its value on."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in pairs]}


PLAIN = steps((AMOUNT, None))
NONE_IS_GOOD = steps((GOOD, None), (LIMPS, 1))
NOTHING_IS_LOST = steps((GOOD, None), (SERIOUS, 0.000001))


def words(*entries):
    """What a number is called, and its colour."""
    options = {
        str(value): {"text": text, "color": color, "index": index} for index, (value, text, color) in enumerate(entries)
    }
    return [{"type": "value", "options": options}]


OPEN_OR_NOT = words((0, "none", GOOD), (1, "partition", BROKEN), (2, "a node is alone", SERIOUS))
MODE_WORDS = words((0, "no answer", UNKNOWN), *MODES)
YES_IS_BAD = words((0, "no", GOOD), (1, "yes", SERIOUS))
YES_IS_GOOD = words((0, "no", SERIOUS), (1, "yes", GOOD))


def panel(kind, title, description, *queries, unit, thresholds=PLAIN, mappings=(), **more):
    """A panel. A query is an expression, with its legend if it has one."""
    instant = more.pop("instant", False)
    shape = more.pop("format", "table" if kind == "table" else "time_series")
    targets = []
    for at, query in enumerate(queries):
        expression, legend = query if isinstance(query, tuple) else (query, "")
        targets.append(
            {
                "refId": "ABCDEFGH"[at],
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expression,
                "legendFormat": legend or "__auto",
                "format": shape,
                "instant": instant,
                "range": not instant,
                "interval": SCRAPE,
            }
        )
    defaults = {"unit": unit, "thresholds": thresholds, "mappings": list(mappings), "color": {"mode": "thresholds"}}
    defaults.update(more.pop("defaults", {}))
    made = {
        "type": kind,
        "title": title,
        "description": " ".join(description.split()),
        "datasource": SOURCE,
        "interval": SCRAPE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": more.pop("options", {}),
    }
    made.update(more)
    return made


def of_query(letter, **properties):
    return {
        "matcher": {"id": "byFrameRefID", "options": letter},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def of_column(name, **properties):
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()],
    }


COLORED = {"type": "color-background", "mode": "basic"}


def stat(title, description, *queries, **more):
    options = {
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": more.pop("text", "auto"),
        "wideLayout": True,
    }
    return panel("stat", title, description, *queries, instant=True, options=options, **more)


def lines(title, description, *queries, stacked=False, maximum=None, minimum=0, **more):
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 5,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        # The colour of a line is its name's; what is good and bad is the area behind it.
        "thresholdsStyle": {"mode": "dashed" if more.get("thresholds", PLAIN) is not PLAIN else "off"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom}
    if minimum is not None:
        defaults["min"] = minimum
    if maximum is not None:
        defaults["max"] = maximum
    options = {
        "legend": {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, description, *queries, options=options, defaults=defaults, **more)


def timeline(title, description, *queries, **more):
    options = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    defaults = {"custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False}}
    return panel("state-timeline", title, description, *queries, options=options, defaults=defaults, **more)


def table(title, description, *queries, columns, sort=None, **more):
    """A table with these columns, by the names that the queries give them."""
    transformations = [] if len(queries) == 1 else [{"id": "merge", "options": {}}]
    transformations.append(
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {name: at for at, name in enumerate(columns)},
                "renameByName": columns,
            },
        }
    )
    options = {"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "countRows": False}}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": True}]
    defaults = {"custom": {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}}}
    return panel(
        "table", title, description, *queries, instant=True, options=options, defaults=defaults,
        transformations=transformations, **more,
    )


def matrix(title, description, query, *, row, column, **more):
    """A table of pairs: `row` and `column` are each a name and the label that it takes. Clusters stay apart."""
    for name, label in (row, column):
        query = f'label_join(\n{query},\n"{name}", " ", "cluster", "{label}")'
    row, column = row[0], column[0]
    transformations = [
        {
            "id": "groupingToMatrix",
            "options": {"columnField": column, "rowField": row, "valueField": "Value", "emptyValue": "empty"},
        }
    ]
    options = {"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "countRows": False}}
    defaults = {"custom": {"align": "center", "cellOptions": COLORED}}
    overrides = [of_column(f"{row}\\{column}", custom__cellOptions={"type": "auto"}, custom__align="left")]
    return panel(
        "table", title, description, query, instant=True, options=options, defaults=defaults, overrides=overrides,
        transformations=transformations, **more,
    )


def heatmap(title, description, query, **more):
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "reverse": False},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"show": True, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": more["unit"]},
    }
    return panel("heatmap", title, description, query, options=options, format="heatmap", **more)


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def placed(*shelves):
    """Gives panels their places. A shelf is a title, or a height and its panels with their widths."""
    panels, y = [], 0
    for shelf in shelves:
        x = 0
        height, members = (1, [(24, row(shelf))]) if isinstance(shelf, str) else shelf
        for width, member in members:
            panels.append({"id": len(panels) + 1, **member, "gridPos": {"x": x, "y": y, "w": width, "h": height}})
            x += width
        y += height
    return panels


# Dashboards -------------------------------------------------------------------------------------------------


def variable(name, label, query, every, description):
    return {
        "type": "query",
        "name": name,
        "label": label,
        "description": description,
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "multi": True,
        "allValue": every,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
    }


DATASOURCE = {
    "type": "datasource",
    "name": "datasource",
    "label": "Prometheus",
    "description": "The Prometheus that scrapes the agents.",
    "query": "prometheus",
    "refresh": 1,
    "regex": "",
    "includeAll": False,
    "multi": False,
    "current": {},
    "options": [],
    "hide": 0,
    "skipUrlSync": False,
}
CLUSTER = variable(
    "cluster", "Cluster", "label_values(netsplit_build_info, cluster)", ".*",
    "Where one Prometheus sees several. Where no series has the label, All is everything.",
)
JOB = variable(
    "job", "Job", f'label_values(up{{cluster=~"$cluster",job=~"{JOBS}"}}, job)', JOBS,
    "The agents of the pods' network, those of the nodes' network, or both.",
)


def annotation(name, expression, color, title, by_value):
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expression,
        "step": SCRAPE,
        "titleFormat": title,
        "textFormat": "{{cluster}}",
        "tagKeys": "kind",
        "useValueForTime": by_value,
    }


def dashboard(name, title, description, panels, variables=()):
    built_in = {
        "name": "Annotations & Alerts",
        "builtIn": 1,
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "type": "dashboard",
    }
    annotations = [
        built_in,
        annotation("Partition opened", f"({OPENED}) * 1000", BROKEN, "{{kind}}: partition opened", True),
        annotation(
            "Partition", f"max by (cluster, kind) ({seen('netsplit_partition_active', CUTS)}) == 1", BROKEN,
            "{{kind}}: partition", False,
        ),
        annotation(
            "Node alone", f"max by (cluster, kind) ({seen('netsplit_partition_active', like('kind', 'isolation'))}) == 1",
            SERIOUS, "A node is alone", False,
        ),
    ]
    others = {
        "type": "dashboards", "title": "netsplit", "tags": ["netsplit"], "asDropdown": False, "includeVars": True,
        "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }
    guide = {
        "type": "link", "title": "What to do", "url": f"{DOCS}/runbooks/README.md", "icon": "doc", "targetBlank": True,
        "asDropdown": False, "includeVars": False, "keepTime": False, "tags": [], "tooltip": "The runbooks",
    }
    return {
        "uid": f"netsplit-{name}",
        "title": f"netsplit / {title}",
        "description": " ".join(description.split()),
        "tags": ["netsplit"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": SCRAPE,
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {"refresh_intervals": [SCRAPE, "30s", "1m", "5m"]},
        "timezone": "",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": [others, guide],
        "annotations": {"list": annotations},
        "templating": {"list": [DATASOURCE, CLUSTER, JOB, *variables]},
        "panels": panels,
    }


def partition_timeline():
    return timeline(
        "Partitions",
        """Which kinds of partition any agent saw, and when. Good: every row is green. Red: a partition of that kind;
        what to do is in the runbook of NetworkPartitionDetected. Orange: one node is alone. A gap is neither: no
        agent could tell, or none could be asked.""",
        (PARTITION_TIMELINE, "{{cluster}} {{kind}}"),
        unit="none",
        mappings=OPEN_OR_NOT,
        thresholds=steps((UNKNOWN, None)),
    )


def overview():
    is_there = stat(
        "Is there a partition?",
        """From left to right: whether there is one, of which kind and since when, who is not heard and by how many
        agents (ten at most), and what share of the agents could judge. Good: "No partition" and 100 %. Red: data
        may diverge, go to the runbook. Grey: nobody can tell, which is no good news: look at the agents.""",
        (IS_THERE_A_PARTITION, "Now {{cluster}}"),
        (f"({OPENED}) * 1000", "{{cluster}} {{kind}}, since"),
        (
            f"sort_desc(topk(10, count by (cluster, peer, zone) ({seen('netsplit_peer_down', like('cause', 'network'))} == 1)))",
            "Not heard: {{cluster}} {{peer}} {{zone}}, by",
        ),
        (
            "clamp_max(\n  "
            f"count by (cluster) ({seen('netsplit_partition_active', like('kind', 'complete'))})"
            f"\n  / count by (cluster) ({now('up')}),\n  1\n)\nor count by (cluster) ({now('up')}) * 0",
            "Agents that can judge {{cluster}}",
        ),
        unit="none",
        text="value_and_name",
        thresholds=steps((UNKNOWN, None)),
        mappings=words(
            (-2, "No agent is scraped", UNKNOWN),
            (-1, "Nobody can tell", UNKNOWN),
            (0, "No partition", GOOD),
            (1, "None seen, and some cannot tell", UNKNOWN),
            (2, "Nodes are not heard", LIMPS),
            (3, "A node is alone", SERIOUS),
            (4, "PARTITION", BROKEN),
        ),
        overrides=[
            of_query("B", unit="dateTimeFromNow", mappings=[], color={"mode": "fixed", "fixedColor": BROKEN}),
            of_query("C", unit="suffix: agents", mappings=[], color={"mode": "fixed", "fixedColor": SERIOUS}),
            of_query(
                "D", unit="percentunit", mappings=[], max=1,
                thresholds=steps((UNKNOWN, None), (LIMPS, 0.9), (GOOD, 1)),
            ),
        ],
        links=[{"title": "What to do", "url": f"{DOCS}/runbooks/NetworkPartitionDetected.md", "targetBlank": True}],
    )
    answering = stat(
        "Agents that answer",
        """How many agents answer Prometheus, and how many nodes they know themselves. Good: the same number. Fewer
        that answer: their nodes are watched by the others only, or Prometheus is cut off from them.""",
        (f"count by ({AGENTS}) ({now('up')} == 1) or count by ({AGENTS}) ({now('up')}) * 0", "answer {{cluster}} {{job}}"),
        (f"max by ({AGENTS}) ({seen('netsplit_roster_size')})", "nodes {{cluster}} {{job}}"),
        unit="none",
        text="value_and_name",
    )
    coverage_now = stat(
        "Least coverage",
        """The share of the other nodes that the agent which hears least of them hears. Good: 100 %. Below 90 % that
        agent judges by hearsay; which one it is stands under Coverage.""",
        (f"min by (cluster) ({seen('netsplit_coverage_ratio')})", "{{cluster}}"),
        unit="percentunit",
        thresholds=steps((SERIOUS, None), (LIMPS, 0.9), (GOOD, 1)),
    )
    may_write = stat(
        "Nodes that may write",
        """How many nodes are normal, degraded or on the side of the majority, and how many may not write. Good: all
        may, and the second is 0. What an operator overrode is not counted here.""",
        (
            f"count by ({AGENTS}) ({seen('netsplit_mode', like('mode', 'normal|degraded|majority', '=~'))} == 1)"
            f" or count by ({AGENTS}) ({seen('netsplit_mode', like('mode', 'normal'))}) * 0",
            "may {{cluster}} {{job}}",
        ),
        (
            f"count by ({AGENTS}) ({seen('netsplit_mode', like('mode', 'minority|isolated|starting', '=~'))} == 1)"
            f" or count by ({AGENTS}) ({seen('netsplit_mode', like('mode', 'normal'))}) * 0",
            "may not {{cluster}} {{job}}",
        ),
        unit="none",
        text="value_and_name",
        overrides=[of_query("B", thresholds=steps((GOOD, None), (SERIOUS, 1)))],
    )
    told = stat(
        "Time in partitions",
        """For how long partitions were open in the time that is shown, by the agent that saw most of it. Good: 0. An
        agent that was started anew began to count anew.""",
        (f"max by (cluster) (increase({now('netsplit_partition_seconds_total')}[$__range]))", "{{cluster}}"),
        unit="s",
        thresholds=steps((GOOD, None), (SERIOUS, 1)),
    )
    detection = stat(
        "Slowest detection, and its bound",
        """In the time that is shown: how long the slowest of a hundred detections took, from the last datagram to the
        decision (no value: there was none), and the longest time until a link is called down. Good: at most twice
        the bound.""",
        (
            "histogram_quantile(0.99, sum by (cluster, le) ("
            f"increase({now('netsplit_detection_seconds_bucket')}[$__range])))",
            "detection {{cluster}}",
        ),
        (f"max by (cluster) ({seen('netsplit_detection_bound_seconds')})", "bound of a link {{cluster}}"),
        unit="s",
        text="value_and_name",
    )
    modes = timeline(
        "Mode by node",
        """What each node's side may do, as its agent judges; at most 60 nodes, the gravest. Good: normal everywhere.
        During a cut the nodes that are `majority` are on one side, `minority` on the other. Grey: it is just
        starting, or it could not be asked for a minute; what its mode was then is in its own log.""",
        (f"topk(60, {MODE_OF_NODES})", "{{cluster}} {{node}}"),
        unit="none",
        mappings=MODE_WORDS,
        thresholds=steps((UNKNOWN, None)),
    )
    sides = table(
        "Who is on which side",
        """One row for each node, the gravest first. How many nodes its side has and how many the others have is there
        while a partition is open. Good: normal, and no numbers. Quorum: 1 if its side has the majority of all who
        count.""",
        MODE_OF_NODES,
        f"max by (cluster, node) ({seen('netsplit_partition_side_nodes', like('side', 'own'))})",
        f"max by (cluster, node) ({seen('netsplit_partition_side_nodes', like('side', 'other'))})",
        f"max by (cluster, node) ({seen('netsplit_quorum')})",
        f"min by (cluster, node) ({seen('netsplit_coverage_ratio')})",
        columns={
            "cluster": "Cluster", "node": "Node", "Value #A": "Mode", "Value #B": "On its side", "Value #C": "On others",
            "Value #D": "Quorum", "Value #E": "Hears",
        },
        sort="Mode",
        unit="none",
        overrides=[
            of_column("Mode", mappings=MODE_WORDS, custom__cellOptions=COLORED),
            of_column("Quorum", mappings=YES_IS_GOOD, custom__cellOptions=COLORED),
            of_column("Hears", unit="percentunit"),
        ],
    )
    unheard = matrix(
        "Who does not hear whom",
        """Rows are agents, columns the nodes that they do not hear because of the network; at most 400 pairs. Good:
        empty. A block of rows and columns is a cut; one full column is one node. Whose own column is missing
        cannot be asked.""",
        f"topk(400, max by (cluster, node, peer) ({seen('netsplit_peer_down', like('cause', 'network'))}))",
        row=("agent", "node"),
        column=("unheard", "peer"),
        unit="none",
        mappings=words((1, "✗", BROKEN)),
        thresholds=steps((UNKNOWN, None)),
    )
    alerts = table(
        "Alerts that fire",
        """What Prometheus makes of it. Good: empty. Empty while the panels above are red: the rules are not loaded,
        or have waited too short a time.""",
        'max by (cluster, alertname, kind, severity, endpoint, peer) (ALERTS{alertstate="firing",cluster=~"$cluster",'
        'alertname=~"NetworkPartitionDetected|NodeIsolated|AgentDown|NetworkDegraded|EndpointUnreachable|AuditLogFailing|'
        'Netsplit.+|KnativeBrokerUnreachable|KafkaBrokerUnreachable|KafkaConsumerLag|ConsumerDisconnectionSpike|'
        'HighRemoteWriteRetries|RemoteWriteQueueFull|MetricsSyncLag"})',
        columns={
            "cluster": "Cluster", "severity": "Severity", "alertname": "Alert", "kind": "Kind", "endpoint": "Endpoint",
            "peer": "Node", "Value": "Firing",
        },
        unit="none",
        overrides=[of_column("Firing", mappings=words((1, "firing", BROKEN)), custom__cellOptions=COLORED)],
    )
    coverage = lines(
        "Coverage",
        """The share of the other nodes that each agent hears; the ten that hear least. Good: 100 %. In a cut it falls
        on all nodes at once, on the smaller side further. One line alone: that node.""",
        (f"bottomk(10, min by (cluster, node) ({seen('netsplit_coverage_ratio')}))", "{{cluster}} {{node}}"),
        unit="percentunit",
        maximum=1,
        thresholds=steps((SERIOUS, None), (LIMPS, 0.9), (GOOD, 1)),
    )
    by_mode = lines(
        "Agents by mode",
        """How many agents are in each mode. Good: all of them `normal`. A rolling update shows as a few that are
        `starting`, one after another.""",
        (f"sum by (cluster, mode) ({seen('netsplit_mode')}) > 0", "{{cluster}} {{mode}}"),
        stacked=True,
        unit="none",
        overrides=[
            {
                "matcher": {"id": "byRegexp", "options": f"/{mode}$/"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
            }
            for _, mode, color in MODES
        ],
    )
    return dashboard(
        "overview",
        "Overview",
        "Is there a partition, since when, who is on which side, what may each node do, and who can tell.",
        placed(
            (6, [(24, is_there)]),
            (4, [(5, answering), (4, coverage_now), (5, may_write), (4, told), (6, detection)]),
            (7, [(24, partition_timeline())]),
            (9, [(24, modes)]),
            (10, [(12, sides), (12, unheard)]),
            (8, [(8, coverage), (8, by_mode), (8, alerts)]),
        ),
    )


def links():
    pairs = {
        "unit": "percentunit",
        "mappings": words((-1, "unknown", UNKNOWN)),
        "thresholds": steps((UNKNOWN, None), (GOOD, 0), (SERIOUS, 0.000001), (BROKEN, 1)),
    }
    zone_matrix = matrix(
        "Zones now",
        """Which share of the links from the zone of the row to that of the column is broken. Good: 0 %. Red: nothing
        gets from one to the other. Orange: some of it. Grey: more than a tenth of these links cannot be judged. A
        row and a column that differ are a cut in one direction. A column that is missing: no agent there can be
        asked.""",
        ZONE_PAIRS,
        row=("from", "source_zone"),
        column=("to", "destination_zone"),
        **pairs,
    )
    history = panel(
        "status-history",
        "Zones over time",
        """The same for each pair of zones (source → destination) over time. Good: green rows. Red at the same moment
        in many rows: the zone that they share.""",
        (ZONE_PAIRS, "{{cluster}} {{source_zone}} → {{destination_zone}}"),
        options={
            "rowHeight": 0.9, "colWidth": 1, "showValue": "never",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults={"custom": {"fillOpacity": 80, "lineWidth": 0}},
        # One column for half a minute at least: more cannot be told apart.
        maxDataPoints=120,
        **pairs,
    )
    states = lines(
        "Links by state",
        """All links of the matrix, as the agents at their ends judge them. Good: `up` alone. `late` and `unknown` for
        moments are usual; `absent` and `unknown` for minutes are links that nobody can judge. Agents that cannot
        be asked are missing from the sum.""",
        (f"sum by (cluster, state) ({seen('netsplit_links')})", "{{cluster}} {{state}}"),
        stacked=True,
        unit="none",
        overrides=[
            {
                "matcher": {"id": "byRegexp", "options": f"/{state}$/"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
            }
            for state, color in [
                ("up", GOOD), ("late", LIMPS), ("down", BROKEN), ("down_agent", SERIOUS), ("unknown", UNKNOWN),
                ("absent", "#5a5a5a"),
            ]
        ],
    )
    down = table(
        "Links that are down",
        """Who is not heard by whom, and whether the network or only the agent there is down; at most 100. Good:
        empty.""",
        f"topk(100, max by (cluster, peer, zone, node, cause) ({seen('netsplit_peer_down')}))",
        columns={
            "cluster": "Cluster", "peer": "From", "zone": "In zone", "node": "To", "cause": "Because of its", "Value": "Down",
        },
        unit="none",
        overrides=[of_column("Down", mappings=words((1, "down", BROKEN)), custom__cellOptions=COLORED)],
    )
    loss = lines(
        "Loss, worst nodes",
        """The smoothed share of datagrams that are lost on the way to a node, the mean over its links that are up;
        the ten worst. Good: below 1 %. 5 % for long is a bad network, 10 % makes a link degraded. Links that are
        down are not in it. Which link it is: `netsplit peers` on that node.""",
        (f"topk(10, max by (cluster, node) ({seen('netsplit_heartbeat_loss_ratio')}))", "{{cluster}} {{node}}"),
        unit="percentunit",
        thresholds=steps((GOOD, None), (LIMPS, 0.05), (SERIOUS, 0.1)),
    )
    degraded = lines(
        "Degraded links, worst nodes",
        """How many links to a node are up and lose too much: from 10 % on, until 3 %; the ten worst. Good: 0. On one
        node: that node's own network.""",
        (f"topk(10, max by (cluster, node) ({seen('netsplit_degraded_links')}))", "{{cluster}} {{node}}"),
        unit="none",
        thresholds=NONE_IS_GOOD,
    )
    rtt = heatmap(
        "Round trips",
        """How many round trips took how long, over all agents. Good: one band that stays where it is. A second band:
        a detour or a queue somewhere. Above the timeout a heartbeat counts as missed.""",
        (f"sum by (le) (increase({now('netsplit_heartbeat_rtt_seconds_bucket')}[$__rate_interval]))", "{{le}}"),
        unit="s",
    )
    slowest = lines(
        "Round trips, slowest nodes",
        """The slowest of a hundred round trips of an agent; the ten slowest agents. Good: what is usual between these
        zones. The bounds of the histogram are few, so these are rough.""",
        (
            "topk(10, histogram_quantile(0.99, sum by (cluster, node, le) ("
            f"{rate('netsplit_heartbeat_rtt_seconds_bucket')})))",
            "{{cluster}} {{node}}",
        ),
        unit="s",
    )
    missed = lines(
        "Missed heartbeats, worst nodes",
        """Heartbeats that did not come in time, a second; the ten worst. Most are lost datagrams. Good: near 0.
        During a cut each silent peer is missed once.""",
        (f"topk(10, sum by (cluster, node) ({rate('netsplit_heartbeats_missed_total')}))", "{{cluster}} {{node}}"),
        unit="cps",
    )
    datagrams = lines(
        "Datagrams",
        """Datagrams that all agents send and take, a second. Good: both lines together. Apart: what lies between them
        is lost, or refused.""",
        (f"sum by (cluster) ({rate('netsplit_heartbeats_sent_total')})", "sent {{cluster}}"),
        (f"sum by (cluster) ({rate('netsplit_heartbeats_received_total')})", "received {{cluster}}"),
        unit="pps",
    )
    refused = lines(
        "Refused datagrams",
        """Datagrams that agents refused, a second, by the reason. Good: 0 but for `unverified` when agents start.
        `key` or `tag` going on: agents hold different keys, or somebody tries; `rate`: too many from strangers.""",
        (f"sum by (cluster, reason) ({rate('netsplit_heartbeats_rejected_total')})", "{{cluster}} {{reason}}"),
        unit="pps",
        thresholds=steps((GOOD, None), (SERIOUS, 0.1)),
    )
    unread = lines(
        "Datagrams not read or not sent",
        """Datagrams that arrived and were not read in time (the five worst nodes), that could not be sent, and reads that
        failed, a second. Good: 0. Growing for minutes: the agent wants more processor time, or its network is gone.""",
        (
            f"topk(5, sum by (cluster, node) ({rate('netsplit_socket_dropped_datagrams_total')}))",
            "not read {{cluster}} {{node}}",
        ),
        (f"sum by (cluster) ({rate('netsplit_send_errors_total')})", "not sent {{cluster}}"),
        (f"sum by (cluster) ({rate('netsplit_receive_errors_total')})", "reads that failed {{cluster}}"),
        unit="pps",
        thresholds=NOTHING_IS_LOST,
    )
    return dashboard(
        "links",
        "Links and zones",
        "Which zones and links are broken, which are bad, and how long datagrams take.",
        placed(
            (7, [(24, partition_timeline())]),
            "Zones",
            (9, [(10, zone_matrix), (14, history)]),
            "Links",
            (9, [(12, states), (12, down)]),
            (8, [(12, loss), (12, degraded)]),
            "Round trips",
            (8, [(12, rtt), (12, slowest)]),
            "Datagrams",
            (8, [(12, missed), (12, datagrams)]),
            (8, [(12, refused), (12, unread)]),
        ),
    )


def endpoints():
    share = {
        "unit": "percentunit",
        "mappings": words((-1, "unknown", UNKNOWN)),
        "thresholds": steps((UNKNOWN, None), (GOOD, 0), (LIMPS, 0.000001), (BROKEN, 0.5)),
    }
    counted = stat(
        "Endpoints",
        """How many are reached by all agents that probe them, not by some, not by half or more, and of how many
        nothing is known. Good: all are in the first. EndpointUnreachable is critical from one half on.""",
        (f"sum by (cluster) (({UNREACHED}) == bool 0)", "reached {{cluster}}"),
        (f"sum by (cluster) ((({UNREACHED}) > bool 0) * (({UNREACHED}) < bool 0.5))", "not by some {{cluster}}"),
        (f"sum by (cluster) (({UNREACHED}) >= bool 0.5)", "not by half or more {{cluster}}"),
        (f"sum by (cluster) (({UNREACHED}) < bool 0)", "unknown {{cluster}}"),
        unit="none",
        text="value_and_name",
        overrides=[
            of_query(letter, color={"mode": "fixed", "fixedColor": color})
            for letter, color in [("A", GOOD), ("B", LIMPS), ("C", BROKEN), ("D", UNKNOWN)]
        ],
    )
    reach = timeline(
        "Not reached by",
        """The share of the agents that probe an endpoint and do not reach it, or find it unwell; at most 60
        endpoints, the worst. Good: 0 %. Yellow: some nodes have lost the way to it. Red: half of them or more.
        Grey: nobody has judged yet.""",
        (f"topk(60, {UNREACHED})", "{{cluster}} {{endpoint}}"),
        **share,
    )
    each = table(
        "Each endpoint",
        """What share of its agents does not reach it, how many have judged, and how long the slowest probe took last.
        Good: 0 %, and probes far below their timeout.""",
        UNREACHED,
        f"count by (cluster, endpoint, type) ({seen('netsplit_endpoint_up', window='2m', of=ENDPOINTS)})",
        f"max by (cluster, endpoint, type) ({seen('netsplit_endpoint_probe_duration_seconds', of=ENDPOINTS)})",
        columns={
            "cluster": "Cluster", "endpoint": "Endpoint", "type": "Type", "Value #A": "Not reached by",
            "Value #B": "Agents that judged", "Value #C": "Slowest probe",
        },
        sort="Not reached by",
        unit="none",
        overrides=[
            of_column(
                "Not reached by", unit=share["unit"], mappings=share["mappings"], thresholds=share["thresholds"],
                custom__cellOptions=COLORED,
            ),
            of_column("Slowest probe", unit="s"),
        ],
    )
    why = table(
        "Why",
        """What the last failure was, and how many agents say so. Good: empty. `unhealthy` with an ailment: it
        answers, and says itself that it is unwell; docs/endpoints.md has every word.""",
        f"topk(100, count by (cluster, endpoint, type, cause, ailment) ({now('netsplit_endpoint_down', of=ENDPOINTS)} == 1))",
        columns={
            "cluster": "Cluster", "endpoint": "Endpoint", "type": "Type", "cause": "Cause", "ailment": "Ailment",
            "Value": "Agents",
        },
        sort="Agents",
        unit="none",
    )
    where = table(
        "From where it is not reached",
        """What agents conclude together, and how many of them. Good: empty. `everywhere`: it is down. `this_side`: it
        is on the other side of a cut. `some_nodes`: the way to it is broken for some.""",
        "topk(100, count by (cluster, endpoint, from) ("
        f"{now('netsplit_endpoint_unreached', like('from', 'nowhere', '!='), of=ENDPOINTS)} == 1))",
        columns={"cluster": "Cluster", "endpoint": "Endpoint", "from": "From", "Value": "Agents"},
        sort="Agents",
        unit="none",
    )
    who = table(
        "Agents that do not reach it",
        """By name; at most 100 pairs. Good: empty. The same nodes for many endpoints: their side, or their own
        network.""",
        f"topk(100, max by (cluster, endpoint, node) ({seen('netsplit_endpoint_up', window='2m', of=ENDPOINTS)} == bool 0) == 1)",
        columns={"cluster": "Cluster", "endpoint": "Endpoint", "node": "Node", "Value": "Reaches it"},
        unit="none",
        overrides=[of_column("Reaches it", mappings=words((1, "no", SERIOUS)), custom__cellOptions=COLORED)],
    )
    duration = lines(
        "Slowest probe",
        """How long the slowest agent's last probe took, whatever came of it; the 20 slowest endpoints. Good: far
        below the timeout, 5 s by default. A line at the timeout: nothing answers.""",
        (
            "topk(20, max by (cluster, endpoint) "
            f"({seen('netsplit_endpoint_probe_duration_seconds', of=ENDPOINTS)}))",
            "{{cluster}} {{endpoint}}",
        ),
        unit="s",
    )
    outcomes = lines(
        "Probes by outcome",
        """Probes of all agents, a second. Good: `success` alone. `inconclusive`: a fault of the agent's own machine
        kept it from asking, so it watches nothing.""",
        (
            f"sum by (cluster, outcome) ({rate('netsplit_endpoint_probes_total', of=ENDPOINTS)})",
            "{{cluster}} {{outcome}}",
        ),
        stacked=True,
        unit="cps",
        overrides=[
            {
                "matcher": {"id": "byRegexp", "options": f"/{outcome}$/"},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
            }
            for outcome, color in [("success", GOOD), ("failure", BROKEN), ("inconclusive", UNKNOWN)]
        ],
    )
    failures = lines(
        "Failed probes, worst endpoints",
        """Failed probes a second; the ten worst. Good: 0. A few beside an endpoint that is green: it hardly answers.""",
        (
            "topk(10, sum by (cluster, endpoint) "
            f"({rate('netsplit_endpoint_probes_total', like('outcome', 'failure'), of=ENDPOINTS)}))",
            "{{cluster}} {{endpoint}}",
        ),
        unit="cps",
        thresholds=NOTHING_IS_LOST,
    )
    breakers = lines(
        "Circuit breakers that are not closed",
        """On how many agents the breaker of an endpoint is open (trials go one at a time) or half open (the last
        trial succeeded); the 20 with most. Good: none.""",
        (
            "topk(20, count by (cluster, endpoint, state) "
            f"({now('netsplit_endpoint_breaker', like('state', 'closed', '!='), of=ENDPOINTS)} == 1))",
            "{{cluster}} {{endpoint}} {{state}}",
        ),
        unit="none",
        thresholds=NONE_IS_GOOD,
    )
    certificates = table(
        "Certificates that expire first",
        """How long the certificate that an endpoint showed last is still good; the 50 that expire first. Good: more
        than two weeks. One that is expired is no longer here: then the cause is `tls`.""",
        "sort(bottomk(50, min by (cluster, endpoint) "
        f"({seen('netsplit_endpoint_certificate_expiry_timestamp_seconds', of=ENDPOINTS)}) - time()))",
        columns={"cluster": "Cluster", "endpoint": "Endpoint", "Value": "Expires in"},
        unit="s",
        overrides=[
            of_column(
                "Expires in", unit="dtdurations", thresholds=steps((BROKEN, None), (LIMPS, 86400), (GOOD, 14 * 86400)),
                custom__cellOptions=COLORED,
            )
        ],
    )
    standing = lines(
        "Held connections that stand",
        """Of the agents that hold a connection to an endpoint (`keep: true`), the share whose connection stands; the 20
        endpoints with the least. Good: 100 %. 0 % for minutes while probes succeed: it takes probes and no consumers.""",
        (
            "bottomk(20, avg by (cluster, endpoint) "
            f"({seen('netsplit_endpoint_connection_up', of=ENDPOINTS)}))",
            "{{cluster}} {{endpoint}}",
        ),
        unit="percentunit",
        maximum=1,
        thresholds=steps((SERIOUS, None), (LIMPS, 0.5), (GOOD, 1)),
    )
    losses = lines(
        "Lost connections",
        """Held connections that were lost, a second over all agents, by the cause; the 20 worst. Good: 0. Many endpoints at once:
        the network, or what stands between, ends connections; one endpoint: it restarts, or fails over.""",
        (
            "topk(20, sum by (cluster, endpoint, cause) "
            f"({rate('netsplit_endpoint_connection_losses_total', of=ENDPOINTS)}))",
            "{{cluster}} {{endpoint}} {{cause}}",
        ),
        unit="cps",
        thresholds=NOTHING_IS_LOST,
    )
    name = variable(
        "endpoint", "Endpoint", f"label_values(netsplit_endpoint_probes_total{{{OURS}}}, endpoint)", ".*",
        "By the name that it has in the configuration.",
    )
    return dashboard(
        "endpoints",
        "Endpoints",
        "What the cluster leans on: is it reached, from where not, why not, and how long it takes.",
        placed(
            (5, [(24, counted)]),
            (6, [(24, partition_timeline())]),
            (9, [(24, reach)]),
            (9, [(12, each), (12, why)]),
            (8, [(12, where), (12, who)]),
            (8, [(12, duration), (12, outcomes)]),
            (8, [(8, failures), (8, breakers), (8, certificates)]),
            (8, [(12, standing), (12, losses)]),
        ),
        [name],
    )


def agents():
    states = timeline(
        "Agents",
        """How each agent is; at most 60, the worst. Good: it judges. Grey: it is starting, or does not answer
        Prometheus, so that nobody can tell. Yellow: it distrusts its own row. Orange: it is blind or its loop
        stands still; a partition of its node would go untold.""",
        (f"topk(60, {AGENT_STATES})", "{{cluster}} {{node}}"),
        unit="none",
        thresholds=steps((UNKNOWN, None)),
        mappings=words(
            (0, "no answer", UNKNOWN), (1, "judges", GOOD), (2, "starting", UNKNOWN), (3, "impaired", LIMPS),
            (4, "blind", SERIOUS), (5, "stands still", SERIOUS),
        ),
    )
    answer = stat(
        "Agents that answer",
        """How many answer Prometheus, how many of its targets do not, and how many nodes the agents know. Good: first
        and last are the same, and the second is 0.""",
        (f"count by ({AGENTS}) ({now('up')} == 1) or count by ({AGENTS}) ({now('up')}) * 0", "answer {{cluster}} {{job}}"),
        (f"count by ({AGENTS}) ({now('up')} == 0) or count by ({AGENTS}) ({now('up')}) * 0", "do not {{cluster}} {{job}}"),
        (f"max by ({AGENTS}) ({seen('netsplit_roster_size')})", "nodes {{cluster}} {{job}}"),
        unit="none",
        text="value_and_name",
        overrides=[of_query("B", thresholds=steps((GOOD, None), (SERIOUS, 1)))],
    )
    audit_now = stat(
        "Audit logs",
        """How many agents cannot write their audit log now, and how many records were lost in the time that is shown.
        Good: 0 and 0. Detection goes on, its evidence does not.""",
        (f"sum by (cluster) ({seen('netsplit_audit_failing')})", "failing {{cluster}}"),
        (f"sum by (cluster) (increase({now('netsplit_audit_lost_records_total')}[$__range]))", "records lost {{cluster}}"),
        unit="none",
        text="value_and_name",
        thresholds=NOTHING_IS_LOST,
    )
    agree = stat(
        "What agents should agree on",
        """How many different values there are for the size of the roster, the size of the electorate, the number of
        keys and the version. Good: 1 each. 2 for minutes: a node that some do not know, a key that has not arrived
        everywhere, an update that is under way.""",
        *[
            (f"count by ({AGENTS}) (count by ({AGENTS}, {value}) (\n  {values}\n))", f"{title} {{{{cluster}}}} {{{{job}}}}")
            for title, value, values in [
                ("roster", "n", f'count_values by ({AGENTS}) ("n", {now("netsplit_roster_size")})'),
                ("electorate", "n", f'count_values by ({AGENTS}) ("n", {now("netsplit_electorate_size")})'),
                ("keys", "n", f'count_values by ({AGENTS}) ("n", {now("netsplit_authentication_keys")})'),
                ("versions", "version", now("netsplit_build_info")),
            ]
        ],
        unit="none",
        text="value_and_name",
        thresholds=steps((GOOD, None), (LIMPS, 2)),
    )
    overrides = timeline(
        "Modes that an operator overrode",
        """While an operator's word stands in the place of the mode that is judged. Good: empty. It is there, and
        nobody knows why: ask the audit log of that node.""",
        (
            "max by (cluster, node) (\n  "
            + "\n  or ".join(
                f"{now('netsplit_mode_override', like('mode', mode))} * {code}"
                for code, mode, _ in MODES
                if mode != "starting"
            )
            + "\n)",
            "{{cluster}} {{node}}",
        ),
        unit="none",
        mappings=MODE_WORDS,
        thresholds=steps((UNKNOWN, None)),
    )
    versions = lines(
        "Agents by version",
        """How many agents run which version. Good: one line. Two for longer than an update takes: it got stuck.""",
        (f"count by (cluster, version) ({now('netsplit_build_info')})", "{{cluster}} {{version}}"),
        stacked=True,
        unit="none",
    )
    stalls = lines(
        "Stalled, worst nodes",
        """The share of the time in which an agent did not run though it should; the ten worst. Good: 0. Above 5 % it
        judges nothing meanwhile: raise its CPU limit.""",
        (f"topk(10, max by (cluster, node) ({rate('netsplit_stalled_seconds_total')}))", "{{cluster}} {{node}}"),
        unit="percentunit",
        thresholds=steps((GOOD, None), (SERIOUS, 0.05)),
    )
    age = lines(
        "Age of what is told, worst nodes",
        """How old the view of an agent is; the ten oldest. Good: below 1 s. Above 5 s its loop does not run, and what
        it tells is of the past.""",
        (f"topk(10, max by (cluster, node) ({now('netsplit_view_age_seconds')}))", "{{cluster}} {{node}}"),
        unit="s",
        thresholds=steps((GOOD, None), (SERIOUS, 5)),
    )
    verdicts = lines(
        "Time to judge",
        """How long the slowest of a hundred judgements of the matrix took. Good: below 2 ms with 1,000 nodes, below
        50 ms with 5,000. No value: none was due.""",
        (
            "histogram_quantile(0.99, sum by (cluster, le) ("
            f"{rate('netsplit_verdict_duration_seconds_bucket')}))",
            "{{cluster}}",
        ),
        unit="s",
        thresholds=steps((GOOD, None), (LIMPS, 0.05)),
    )
    cpu = lines(
        "Processor, busiest nodes",
        """Cores that an agent uses; the ten busiest. Good: 0.02 for 100 to 5,000 peers at the default pace, more
        during a cut. At the limit of its container it stalls.""",
        (f"topk(10, max by (cluster, node) ({rate('process_cpu_seconds_total')}))", "{{cluster}} {{node}}"),
        unit="none",
    )
    memory = lines(
        "Memory, largest",
        """Memory of an agent; the ten largest. Good: level, 5 to 40 MiB by the number of nodes, and more for
        endpoints. One that grows for hours is a fault of ours.""",
        (f"topk(10, max by (cluster, node) ({now('process_resident_memory_bytes')}))", "{{cluster}} {{node}}"),
        unit="bytes",
    )
    files = lines(
        "Open files, nearest to their limit",
        """The share of the file descriptors that an agent may have; the ten highest. Good: a few per cent. At 100 %
        probes fail.""",
        (
            f"topk(10, max by (cluster, node) ({now('process_open_fds')} / {now('process_max_fds')}))",
            "{{cluster}} {{node}}",
        ),
        unit="percentunit",
        thresholds=steps((GOOD, None), (SERIOUS, 0.8)),
    )
    failing = timeline(
        "Audit log of each node",
        """Whether an agent could write its audit log; at most 60 nodes, those that fail first. Good: written. Orange:
        the disk is full, read-only or hung. A gap: it has no log, or cannot be asked.""",
        (f"topk(60, max by (cluster, node) ({seen('netsplit_audit_failing')}))", "{{cluster}} {{node}}"),
        unit="none",
        mappings=words((0, "written", GOOD), (1, "failing", SERIOUS)),
        thresholds=steps((UNKNOWN, None)),
    )
    waiting = lines(
        "Records that wait for the disk",
        """The ten longest queues. Good: 0, and some for moments. Up to 4,096 are kept; then records are lost.""",
        (f"topk(10, max by (cluster, node) ({now('netsplit_audit_queue_records')}))", "{{cluster}} {{node}}"),
        unit="none",
        thresholds=steps((GOOD, None), (LIMPS, 256), (SERIOUS, 4096)),
    )
    written = lines(
        "Records",
        """Records that became durable, attempts that failed, records that are gone, and those that nobody read from
        standard output in time, a second over all agents. Good: a few written now and then; the rest 0.""",
        (f"sum by (cluster) ({rate('netsplit_audit_records_total')})", "written {{cluster}}"),
        (f"sum by (cluster) ({rate('netsplit_audit_errors_total')})", "failed {{cluster}}"),
        (f"sum by (cluster) ({rate('netsplit_audit_lost_records_total')})", "lost {{cluster}}"),
        (f"sum by (cluster) ({rate('netsplit_audit_stdout_lost_records_total')})", "not read from standard output {{cluster}}"),
        unit="cps",
    )
    sync = lines(
        "Time to make records durable",
        """How long the disk took for the slowest of a hundred batches. Good: below 50 ms. Seconds: the disk hangs;
        detection does not wait for it. No value: nothing was written.""",
        (
            "histogram_quantile(0.99, sum by (cluster, le) ("
            f"{rate('netsplit_audit_sync_duration_seconds_bucket')}))",
            "{{cluster}}",
        ),
        unit="s",
        thresholds=steps((GOOD, None), (LIMPS, 1), (SERIOUS, 10)),
    )
    keys = lines(
        "Keys",
        """The fewest and the most keys that an agent holds. Good: the same, 1 or during a rotation 2. 0: datagrams
        are not authenticated. Different for long: agents that share no key do not hear each other.""",
        (f"min by (cluster) ({now('netsplit_authentication_keys')})", "fewest {{cluster}}"),
        (f"max by (cluster) ({now('netsplit_authentication_keys')})", "most {{cluster}}"),
        unit="none",
    )
    failures = lines(
        "What failed to be read, asked or kept",
        """Agents whose configuration was refused, whose discovery does not answer, whose keys or state fail. Good: 0.
        A refused configuration: the one before stays, and a restart would fail.""",
        (f"sum by (cluster) ({seen('netsplit_config_last_reload_successful')} == bool 0)", "configuration refused {{cluster}}"),
        (f"sum by (cluster) ({seen('netsplit_discovery_up')} == bool 0)", "discovery does not answer {{cluster}}"),
        (f"sum by (cluster) (increase({now('netsplit_key_reload_failures_total')}[5m]) > bool 0)", "keys not read {{cluster}}"),
        (f"sum by (cluster) (increase({now('netsplit_keys_lacked_total')}[5m]) > bool 0)", "lack a key {{cluster}}"),
        (f"sum by (cluster) (increase({now('netsplit_state_errors_total')}[5m]) > bool 0)", "state not written {{cluster}}"),
        (f"sum by (cluster) (increase({now('netsplit_clocks_ahead_total')}[5m]) > bool 0)", "hear a clock ahead {{cluster}}"),
        unit="none",
        thresholds=NONE_IS_GOOD,
    )
    roster = lines(
        "Roster and electorate",
        """The fewest and the most nodes that agents know, and that count for the majority. Good: pairs of lines that
        are one. Apart for minutes: nodes that some do not know.""",
        (f"min by ({AGENTS}) ({now('netsplit_roster_size')})", "roster, smallest {{cluster}} {{job}}"),
        (f"max by ({AGENTS}) ({now('netsplit_roster_size')})", "roster, largest {{cluster}} {{job}}"),
        (f"min by ({AGENTS}) ({now('netsplit_electorate_size')})", "electorate, smallest {{cluster}} {{job}}"),
        (f"max by ({AGENTS}) ({now('netsplit_electorate_size')})", "electorate, largest {{cluster}} {{job}}"),
        unit="none",
    )
    return dashboard(
        "agents",
        "Agents and audit",
        "Whether the agents themselves are well: can they judge, have they time, is what they saw kept.",
        placed(
            (5, [(8, answer), (6, audit_now), (10, agree)]),
            (9, [(24, states)]),
            (6, [(14, partition_timeline()), (10, overrides)]),
            "Audit log",
            (7, [(12, failing), (12, written)]),
            (7, [(12, waiting), (12, sync)]),
            "Keys, configuration, discovery, state",
            (8, [(8, failures), (8, keys), (8, roster)]),
            "Time and memory",
            (8, [(8, stalls), (8, age), (8, verdicts)]),
            (8, [(6, cpu), (6, memory), (6, files), (6, versions)]),
        ),
    )


def remote_write():
    by_queue = "{{cluster}} {{instance}} {{remote_name}}"

    def speed(metric):
        return f"sum by ({QUEUE}) ({rate('prometheus_remote_storage_' + metric, of=PROMETHEUS)})"

    room = f"sum by ({QUEUE}) ({now('prometheus_remote_storage_shards', of=PROMETHEUS)} * " + (
        f"{now('prometheus_remote_storage_shard_capacity', of=PROMETHEUS)})"
    )
    lag_steps = steps((GOOD, None), (LIMPS, 300), (BROKEN, 3600))
    lag_now = stat(
        "Behind by",
        """How old the newest sample is that the far end has, for each queue. Good: seconds. From 5 minutes on alerts over
        there look at the past; after two hours the write-ahead log of a server is gone, and with it samples. A queue that
        has sent nothing since its Prometheus started is behind since then, or longer. No value: the rules are not loaded.""",
        (LAG, by_queue),
        unit="s",
        text="value_and_name",
        thresholds=lag_steps,
    )
    lag = lines(
        "Lag",
        """The same over time. Good: a flat line of seconds. It rises by a second each second: nothing gets through.
        It falls: what was kept is being sent; wait.""",
        (LAG, by_queue),
        unit="s",
        thresholds=lag_steps,
    )
    retries = lines(
        "Retried samples",
        """Samples a second that were sent again because the far end was not reached or said 5xx or 429. Good: 0.
        Nothing is lost by it yet.""",
        (speed("samples_retried_total"), by_queue),
        unit="cps",
        thresholds=steps((GOOD, None), (LIMPS, 0.1)),
    )
    failed = lines(
        "Failed samples",
        """Samples a second that the far end refused for good; they are lost. Good: 0. Usual after a cut where it
        takes no old samples. No alert rings for them, and the lag does not show them: they count as sent.""",
        (speed("samples_failed_total"), by_queue),
        unit="cps",
        thresholds=NOTHING_IS_LOST,
    )
    dropped = lines(
        "Dropped samples",
        """Samples a second that were never sent: relabelling dropped them, or they were too old, or their series
        unknown after a restart. Good: 0, or what your relabelling drops.""",
        (speed("samples_dropped_total"), by_queue),
        unit="cps",
    )
    depth = lines(
        "Queue depth",
        """How full the shards of a queue are. Good: below a half. At 100 % and more it reads no further in the write-ahead log
        until something gets through.""",
        (
            f"sum by ({QUEUE}) ({now('prometheus_remote_storage_samples_pending', of=PROMETHEUS)})\n/ {room}",
            by_queue,
        ),
        unit="percentunit",
        thresholds=steps((GOOD, None), (LIMPS, 0.8)),
    )
    pending = lines(
        "Samples that wait",
        """Samples in the shards of a queue. Good: low and unsteady. Level and high: the queue is full.""",
        (f"sum by ({QUEUE}) ({now('prometheus_remote_storage_samples_pending', of=PROMETHEUS)})", by_queue),
        unit="none",
    )
    sent = lines(
        "Sent samples",
        """Samples a second that were sent, those that were sent again included. Good: as many as are scraped. After a
        cut: more, until the lag is gone.""",
        (speed("samples_total"), by_queue),
        unit="cps",
    )
    shards = lines(
        "Shards",
        """How many senders in parallel a queue has, wants and may have. Good: wanted far below what it may have. At
        it for long: raise `max_shards`, or the far end is too slow.""",
        (remote("shards"), f"has {by_queue}"),
        (remote("shards_desired"), f"wants {by_queue}"),
        (remote("shards_max"), f"may have {by_queue}"),
        unit="none",
    )
    batches = lines(
        "Time of a batch",
        """How long the slowest of a hundred batches took. Good: below a second. At `remote_timeout`, 30 s by default:
        the far end hangs. No value: none was answered.""",
        (
            f"histogram_quantile(0.99, sum by ({QUEUE}, le) ("
            f"{rate('prometheus_remote_storage_sent_batch_duration_seconds_bucket', of=PROMETHEUS)}))",
            by_queue,
        ),
        unit="s",
        thresholds=steps((GOOD, None), (LIMPS, 5)),
    )
    which = variable(
        "prometheus", "Sender", 'label_values(prometheus_remote_storage_shards{cluster=~"$cluster"}, instance)', None,
        "The Prometheus that writes to a remote one, by the address at which it is scraped.",
    )
    return dashboard(
        "remote-write",
        "Remote write",
        "What each Prometheus has not brought to the remote one, beside the partitions that keep it from doing so.",
        placed(
            (7, [(24, partition_timeline())]),
            (5, [(24, lag_now)]),
            (9, [(12, lag), (12, depth)]),
            (8, [(8, retries), (8, failed), (8, dropped)]),
            (8, [(8, sent), (8, pending), (8, shards)]),
            (8, [(24, batches)]),
        ),
        [which],
    )


def main() -> None:
    directory = Path(sys.argv[1])
    for made in (overview(), links(), endpoints(), agents(), remote_write()):
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        (directory / f"{made['uid']}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
