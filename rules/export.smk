rule export:
    input:
        ckpt=checkpoint_of,
        predictions="results/{run}/predict",
        metrics="results/{run}/metrics.json",
    output:
        directory("results/{run}/export"),
    log:
        "logs/export/{run}.log",
    benchmark:
        "logs/export/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        f"{ENVS}/export.yaml"
    threads: all_cores
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=architecture_flags,
    shell:
        f"{SCRIPTS}/export.py "
        "{output:q} --ckpt={input.ckpt:q} --predict_dir {input.predictions:q} --metrics {input.metrics:q}"
        " {params.settings} --threads {threads} "
        f"{LOGGED}"


# its runtime is installed by `make try`
rule try_page:
    input:
        exported="results/{run}/export",
        predictions="results/{run}/predict",
    output:
        "results/{run}/try.html",
    log:
        "logs/try_page/{run}.log",
    benchmark:
        "logs/try_page/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        f"{ENVS}/export.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        runtime=BROWSER_RUNTIME_SHA256,
    shell:
        f"{SCRIPTS}/try_page.py "
        "{output:q} --run {wildcards.run:q} --export_dir {input.exported:q} --predict_dir {input.predictions:q} "
        f"{LOGGED}"
