from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"


# the default profile's limit of it holds on one machine, not for a cluster
resource_scopes:
    device="local",


# on a cluster: on the machine that submits, since they take no time
localrules:
    all,
    benchmarks,
    keep_best,
    describe,
    summarize,


rule all:
    default_target: True
    input:
        everything_of(CONFIG.all),
        "results/summary.csv",
        "results/summary.html",


rule benchmarks:
    input:
        everything_of(BENCHMARKS),
        "results/benchmarks.csv",
        "results/benchmarks.html",


for group in sorted(CONFIG.runs):

    rule:
        name:
            group
        input:
            everything_of([group]),
        localrule: True
