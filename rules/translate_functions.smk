def translations_of(inputs):
    """An input function, like everything_of."""

    def results(wildcards):
        return expand("results/{run}/translate/{inputs}", run=members(CONFIG.inputs[inputs].runs), inputs=inputs)

    return results


def architecture_flags(wildcards):
    """The architecture as far as it is known here, which helps checkpoints that do not describe themselves."""
    run = RUNS[wildcards.run]
    other = PredictSettings.model_fields.keys() - GeneratorSettings.model_fields.keys()
    return shlex.join(as_flags(run.predict, left_out=other | run.from_ckpt))


def translate_flags(wildcards):
    seed, size = RUNS[wildcards.run].predict.seed, CONFIG.inputs[wildcards.inputs].size
    return f"{architecture_flags(wildcards)} --seed {seed} --size {size}"


def translate_listing(wildcards):
    return listing_of(CONFIG.inputs[wildcards.inputs].folder, (".",))


def translate_folder(wildcards):
    return path_argument(CONFIG.inputs[wildcards.inputs].folder)
