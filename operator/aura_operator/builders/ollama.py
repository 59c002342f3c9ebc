"""Ollama with one model, which the image brings or which is pulled into a volume; ready when the model has answered."""

import json

from aura_operator.blueprint import Blueprint, Manifest
from aura_operator.builders import endpoints
from aura_operator.builders.pod import container, empty_dir, env, exec_probe, http_probe, pod_template, scratch_mount
from aura_operator.builders.workload import deployment, persistent_volume, service

__all__ = ["build"]

UID = 1000
HOME = "/var/lib/ollama"
CONTEXT_TOKENS = 4096
"""As planners ask for: another number would make the server load the model again."""

# OLLAMA_MODELS is where an image that brings models has them. It is set here and not in the pod, which would hide that folder.
START = """\
set -eu
brought=${OLLAMA_MODELS:-}
export OLLAMA_MODELS="$HOME/models"
mkdir -p "$OLLAMA_MODELS"
# Links into an earlier image lead nowhere now.
find "$OLLAMA_MODELS" -xtype l -delete
if [ -n "$brought" ] && [ -d "$brought" ]; then cp -rsn "$brought/." "$OLLAMA_MODELS/" || true; fi
pull() {
  until ollama list >/dev/null 2>&1; do sleep 1; done
  ollama show "$AURA_MODEL" >/dev/null 2>&1 && return
  # Kubernetes starts the container again, each time a little later, and shows the reason.
  ollama pull "$AURA_MODEL" 2>"$HOME/pull.log" || { tail -n 1 "$HOME/pull.log" | tee /dev/termination-log; kill 1; }
}
pull &
exec ollama serve
"""

# One token from the model itself, by the shell's own sockets since the image has no HTTP client.
ANSWERS = """\
exec 3<>/dev/tcp/127.0.0.1/11434
printf 'POST /api/generate HTTP/1.0\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s' \
"${#AURA_QUESTION}" "$AURA_QUESTION" >&3
grep -q '"done":true' <&3 || { echo "model $AURA_MODEL does not answer yet"; exit 1; }
"""


def build(blueprint: Blueprint) -> list[Manifest]:
    """A volume, a Deployment and a Service; nothing where no planner needs them or the user brings the server."""
    if not endpoints.embeds(blueprint, endpoints.OLLAMA):
        return []
    embedded, settings = endpoints.embedded(blueprint, endpoints.OLLAMA), blueprint.settings
    port = endpoints.PORTS[endpoints.OLLAMA]
    server = container(
        blueprint,
        "ollama",
        embedded.image or settings.images.ollama,
        embedded.resources or settings.resources.ollama,
        ports={"ollama": port},
        command=["/bin/sh", "-c", START],
        env=env(_variables(blueprint)),
        # An hour for a model that is pulled. Asked once: a question in between would drop the prompt that planners share.
        startupProbe=exec_probe(["/bin/bash", "-c", ANSWERS], period=5, failures=720, timeout=60),
        readinessProbe=http_probe("/", "ollama"),
        livenessProbe=http_probe("/", "ollama", period=15, failures=8, timeout=10),
        volumeMounts=[{"name": "models", "mountPath": HOME}, scratch_mount()],
    )
    models = {"name": "models", "persistentVolumeClaim": {"claimName": blueprint.child(endpoints.OLLAMA)}}
    template = pod_template(blueprint, endpoints.OLLAMA, [server], uid=UID, volumes=[models, empty_dir("scratch")])
    return [
        persistent_volume(blueprint, endpoints.OLLAMA, embedded.storage or settings.model_storage),
        # Its volume goes to one pod at a time.
        deployment(blueprint, endpoints.OLLAMA, template, strategy={"type": "Recreate"}),
        service(blueprint, endpoints.OLLAMA, {"ollama": port}),
    ]


def _variables(blueprint: Blueprint) -> dict[str, str]:
    model = endpoints.planner_model(blueprint)
    options = {"num_ctx": CONTEXT_TOKENS, "num_predict": 1, "temperature": 0}
    question = {"model": model, "prompt": "Say yes.", "stream": False, "options": options}
    return {
        "HOME": HOME,
        "OLLAMA_HOST": f"0.0.0.0:{endpoints.PORTS[endpoints.OLLAMA]}",
        "OLLAMA_CONTEXT_LENGTH": str(CONTEXT_TOKENS),
        # The pod is there for this one model, and loading it again takes long.
        "OLLAMA_KEEP_ALIVE": "-1",
        # What was pulled before a restart is not pulled again.
        "OLLAMA_NOPRUNE": "1",
        "AURA_MODEL": model,
        "AURA_QUESTION": json.dumps(question),
    }
