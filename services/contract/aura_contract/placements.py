"""Planners in other Kubernetes clusters, beside those of the experiment's own."""

from typing import Annotated

from pydantic import Field, StringConstraints

from aura_contract.base import ManifestModel
from aura_contract.dependencies import SecretName
from aura_contract.lifecycle import PodsSpec

__all__ = ["KubeconfigRef", "Place", "Placement"]

Label = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
NamespaceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
ContextName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class KubeconfigRef(ManifestModel):
    """A Secret in the experiment's namespace that holds a kubeconfig."""

    name: SecretName


class Place(ManifestModel):
    """A namespace of another cluster, and the kubeconfig that leads there."""

    name: Label = Field(description="Name of the placement, a label of everything that is made there.")
    kubeconfig_secret_ref: KubeconfigRef = Field(description="Secret in the experiment's namespace that holds a kubeconfig.")
    key: SecretKey = Field("kubeconfig", description="Key of the Secret.")
    context: ContextName | None = Field(None, description="Context of the kubeconfig; its current one by default.")
    namespace: NamespaceName = Field(description="Namespace of the other cluster; it has to be there.")

    @property
    def place(self) -> "Place":
        """The place alone, without what is said of it."""
        return Place.model_validate(self.model_dump(include=set(Place.model_fields)))


class Placement(Place):
    """Planners in a namespace of another cluster, members of the same consumer group."""

    replicas: int = Field(1, ge=0, le=64, description="Planners there.")
    pods: PodsSpec = Field(PodsSpec(), description="Where its pods may run there; spec.pods is for this cluster alone.")
