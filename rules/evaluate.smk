rule predict:
    input:
        ckpt=checkpoint_of,
        records=predict_records,
    output:
        report(
            directory("results/{run}/predict"),
            patterns=["{image,grid}.png"],
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
        f"{ENVS}/pix2pix.yaml"
    threads: all_cores
    resources:
        mem_mb=4000,
        runtime=60,
        device=predict_device,
        device_target=predict_target,
    params:
        settings=predict_flags,
    shell:
        f"{SCRIPTS}/predict.py "
        "{input.records:q} --ckpt={input.ckpt:q} --predict_dir {output:q} --run {wildcards.run:q}"
        " {params.settings} --device_target {resources.device_target} --threads {threads} "
        f"{LOGGED}"


rule evaluate:
    input:
        predictions="results/{run}/predict",
        records=predict_records,
    output:
        images="results/{run}/metrics.csv",
        summary="results/{run}/metrics.json",
    log:
        "logs/evaluate/{run}.log",
    benchmark:
        "logs/evaluate/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        about=evaluate_flags,
    shell:
        f"{SCRIPTS}/evaluate.py "
        "{input.records:q} --predict_dir {input.predictions:q} {params.about}"
        " --csv {output.images:q} --json {output.summary:q} --threads {threads} "
        f"{LOGGED}"


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
        f"{ENVS}/fidelity.yaml"
    threads: all_cores
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        sha256=INCEPTION.sha256,
    shell:
        f"{SCRIPTS}/measure_fidelity.py "
        "{output:q} --predict_dir {input.predictions:q} --weights {input.weights:q} --sha256 {params.sha256:q}"
        " --threads {threads} "
        f"{LOGGED}"


rule describe:
    input:
        checkpoint_of,
        "results/{run}/predict",
        "results/{run}/metrics.csv",
        lambda wildcards: scores_of([wildcards.run]),
    output:
        page=report(
            "results/{run}/run.html",
            caption="../workflow/report/run.rst",
            category="Runs",
            subcategory="{run}",
            labels={"shows": "scores, images, losses and settings"},
        ),
        gallery="results/{run}/gallery.html",
    log:
        "logs/describe/{run}.log",
    benchmark:
        "logs/describe/{run}.tsv"
    wildcard_constraints:
        run=one_of(RUNS),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        about=describe_flags,
    shell:
        f"{SCRIPTS}/describe.py "
        "results/{wildcards.run:q} {output.page:q} {output.gallery:q} {params.about} "
        f"{LOGGED}"


rule summarize:
    input:
        lambda wildcards: scores_of(members(SUMMARIES[wildcards.summary])),
        lambda wildcards: expand("results/{run}/predict", run=members(SUMMARIES[wildcards.summary])),
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
            labels={"shows": "{summary}: comparison of runs"},
        ),
    log:
        "logs/summarize/{summary}.log",
    benchmark:
        "logs/summarize/{summary}.tsv"
    wildcard_constraints:
        summary=one_of(SUMMARIES),
    conda:
        f"{ENVS}/pix2pix.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        about=summarize_flags,
        published=PUBLISHED_SHA256,
    shell:
        f"{SCRIPTS}/summarize.py "
        "{params.about} --csv {output.table:q} --html {output.page:q} "
        f"--published {HOME}/workflow/published.yaml "
        f"{LOGGED}"
