rule predict:
    input:
        ckpt=checkpoint_of,
        records=predict_records,
    output:
        report(
            directory("results/{run}/predict"),
            patterns=["{picture,grid}.png"],
            caption="../workflow/report/grid.rst",
            category="Runs",
            subcategory="{run}",
            labels={"shows": "grid of inputs, predictions and targets"},
        ),
    log:
        "logs/predict/{run}.log",
    benchmark:
        "logs/predict/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        "../workflow/envs/pix2pix.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
        device_target=predict_device,
    params:
        settings=predict_flags,
    shell:
        f"{SCRIPTS}/predict.py "
        "{input.records} --ckpt {input.ckpt} --predict_dir {output} --run {wildcards.run}"
        " {params.settings} --device_target {resources.device_target} "
        f"{LOG_TO} {{log}}"


rule evaluate:
    input:
        predictions="results/{run}/predict",
        records=predict_records,
    output:
        pictures="results/{run}/metrics.csv",
        summary="results/{run}/metrics.json",
    log:
        "logs/evaluate/{run}.log",
    benchmark:
        "logs/evaluate/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        "../workflow/envs/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        about=evaluate_flags,
    shell:
        f"{SCRIPTS}/evaluate.py "
        "{input.records} --predict_dir {input.predictions} {params.about}"
        " --csv {output.pictures} --json {output.summary} "
        f"{LOG_TO} {{log}}"


rule measure_fidelity:
    input:
        predictions="results/{run}/predict",
        weights=INCEPTION.path,
    output:
        "results/{run}/fidelity.json",
    log:
        "logs/measure_fidelity/{run}.log",
    benchmark:
        "logs/measure_fidelity/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        "../workflow/envs/fidelity.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        sha256=INCEPTION.sha256,
    shell:
        f"{SCRIPTS}/measure_fidelity.py "
        "{output} --predict_dir {input.predictions} --weights {input.weights} --sha256 {params.sha256} "
        f"{LOG_TO} {{log}}"


rule describe:
    input:
        checkpoint_of,
        "results/{run}/predict",
        lambda wildcards: scores_of([wildcards.run]),
    output:
        report(
            "results/{run}/run.html",
            caption="../workflow/report/run.rst",
            category="Runs",
            subcategory="{run}",
            labels={"shows": "scores, grid, losses and settings"},
        ),
    log:
        "logs/describe/{run}.log",
    benchmark:
        "logs/describe/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        "../workflow/envs/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        about=describe_flags,
    shell:
        f"{SCRIPTS}/describe.py " "results/{wildcards.run} {output} {params.about} " f"{LOG_TO} {{log}}"


rule summarize:
    input:
        lambda wildcards: scores_of(members(SUMMARIES[wildcards.summary])),
        lambda wildcards: expand("results/{run}/predict", run=members(SUMMARIES[wildcards.summary])),
        published=f"{workflow.basedir}/workflow/published.yaml",
    output:
        table=report(
            "results/{summary}.csv",
            caption="../workflow/report/table.rst",
            category="Overview",
            labels={"shows": "{summary}: table"},
        ),
        page=report(
            "results/{summary}.html",
            caption="../workflow/report/summary.rst",
            category="Overview",
            labels={"shows": "{summary}: runs side by side"},
        ),
    log:
        "logs/summarize/{summary}.log",
    benchmark:
        "logs/summarize/{summary}.tsv"
    wildcard_constraints:
        summary=one_of(SUMMARIES),
    conda:
        "../workflow/envs/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        about=summarize_flags,
    shell:
        f"{SCRIPTS}/summarize.py "
        "{params.about} --csv {output.table} --html {output.page} --published {input.published} "
        f"{LOG_TO} {{log}}"
