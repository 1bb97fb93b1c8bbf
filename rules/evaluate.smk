rule predict:
    input:
        ckpt=checkpoint_of,
        records=predict_records,
    output:
        directory("results/{run}/predict"),
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
        device_target=lambda wildcards: RUNS[wildcards.run].where.device_target,
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


rule summarize:
    input:
        lambda wildcards: [f"results/{run}/metrics.json" for run in SUMMARIES[wildcards.summary]],
    output:
        table="results/{summary}.csv",
        page="results/{summary}.html",
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
        mem_mb=500,
        runtime=5,
    shell:
        f"{SCRIPTS}/summarize.py " "{input} --csv {output.table} --html {output.page} " f"{LOG_TO} {{log}}"
