def translations_of(inputs):
    """An input function, like everything_of."""

    def results(wildcards):
        return expand("results/{run}/translate/{inputs}", run=members(CONFIG.inputs[inputs].runs), inputs=inputs)

    return results


def translate_flags(wildcards):
    """The architecture as far as it is known here, which helps checkpoints that do not describe themselves."""
    run, inputs = RUNS[wildcards.run], CONFIG.inputs[wildcards.inputs]
    unused = {*PredictSettings.model_fields} - {*GeneratorSettings.model_fields, "seed"} | run.from_ckpt
    return shlex.join([*as_flags(run.predict, left_out=unused), "--size", str(inputs.size)])


def translate_listing(wildcards):
    return listing_of(CONFIG.inputs[wildcards.inputs].folder, (".",))


def translate_folder(wildcards):
    return path_argument(CONFIG.inputs[wildcards.inputs].folder)
