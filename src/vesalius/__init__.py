"""Large models for medical images: from a folder of studies to a validated, explained, deployable model."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vesalius.core.version import VERSION

__version__ = VERSION

_HOME = {
    "cohort_from_dataset": "verbs.cohort_from_dataset",
    "card": "verbs.card",
    "Cards": "verbs.card",
    "advise": "verbs.advise",
    "Advice": "verbs.advise",
    "prompt": "verbs.prompt",
    "Prompted": "verbs.prompt",
    "PromptedFigure": "verbs.prompt",
    "ask": "verbs.ask",
    "Asked": "verbs.ask",
    "Reply": "questions.answered",
    "Adjunct": "adjunct.asking",
    "ChatServer": "adjunct.server",
    "change": "verbs.change",
    "Change": "verbs.change",
    "Changes": "verbs.change",
    "design": "verbs.design",
    "Design": "verbs.design",
    "annotate": "verbs.annotate",
    "AnnotationProject": "verbs.annotate",
    "gather": "verbs.gather",
    "Gathered": "verbs.gather",
    "clean": "verbs.clean",
    "Cleaning": "verbs.clean",
    "compare": "verbs.compare",
    "compress": "verbs.compress",
    "Compression": "compress.report",
    "Comparison": "verbs.compare",
    "shape": "verbs.shape",
    "Shaped": "verbs.shape",
    "ShapeModel": "shapes.models.model",
    "complete": "verbs.complete",
    "Completed": "verbs.complete",
    "morph": "verbs.morph",
    "Morphed": "verbs.morph",
    "consensus": "verbs.consensus",
    "Consensus": "verbs.consensus",
    "label": "verbs.label",
    "Labelled": "verbs.label",
    "Clicking": "infer.clicking",
    "Guidance": "core.guidance",
    "Stroke": "core.guidance",
    "find": "verbs.find",
    "Found": "verbs.find",
    "index": "verbs.index",
    "Indexed": "verbs.index",
    "few_shot": "verbs.few_shot",
    "harmonise": "verbs.harmonise",
    "Harmonised": "verbs.harmonise",
    "FewShot": "verbs.few_shot",
    "find_lr": "verbs.find_lr",
    "simulate_labelling": "verbs.simulate_labelling",
    "LabellingCurve": "run.labelling_curve",
    "suggest": "verbs.suggest",
    "Suggested": "verbs.suggest",
    "LearningRates": "verbs.find_lr",
    "OutOfFold": "run.out_of_fold",
    "torch_dataset": "verbs.torch_dataset",
    "scale": "verbs.scale",
    "Scaling": "run.scaling.result",
    "search": "verbs.search",
    "Search": "verbs.search",
    "transfer": "verbs.transfer",
    "Transfer": "verbs.transfer",
    "read": "verbs.read",
    "inspect": "verbs.inspect",
    "limits": "verbs.limits",
    "fit": "verbs.fit",
    "pretrain": "verbs.pretrain",
    "open": "verbs.open",
    "Run": "run.finished",
    "predict": "verbs.predict",
    "Predictions": "run.predictions",
    "Archive": "run.archive.told",
    "evaluate": "verbs.evaluate",
    "calibrate": "verbs.calibrate",
    "degrade": "verbs.degrade",
    "Degraded": "verbs.degrade",
    "mesh": "verbs.mesh",
    "Meshes": "verbs.mesh",
    "explain": "verbs.explain",
    "selftest": "verbs.selftest",
    "SelfTest": "infer.selftest.checking",
    "export": "verbs.export",
    "Exported": "exports.contract",
    "Explanations": "verbs.explain",
    "features": "verbs.features",
    "Features": "verbs.features",
    "write": "verbs.write",
    "fetch": "verbs.fetch",
    "Fetched": "verbs.fetch",
    "deidentify": "verbs.deidentify",
    "Deidentified": "verbs.deidentify",
    "phantom": "verbs.phantom",
    "register": "verbs.register",
    "demo": "verbs.demo",
    "image": "verbs.image",
    "import_model": "verbs.import_model",
    "Image": "core.image",
    "Case": "core.case",
    "Cohort": "core.cohort",
    "VesaliusError": "core.errors",
    "UnknownName": "core.errors",
    "UsageError": "core.errors",
    "DataError": "core.errors",
    "FormatError": "core.errors",
    "NotAnImage": "core.errors",
    "NoImages": "core.errors",
    "GeometryError": "core.errors",
    "MismatchError": "core.errors",
    "LeakError": "core.errors",
    "ClusterError": "core.errors",
    "CodeError": "core.errors",
    "SourceError": "core.errors",
    "PlanError": "core.errors",
    "BudgetError": "core.errors",
    "LimitReached": "core.errors",
    "RegisterError": "core.errors",
    "BundleError": "core.errors",
    "OutputError": "core.errors",
    "UnsafeError": "core.errors",
    "MissingExtra": "core.errors",
    "MissingProgram": "core.errors",
    "Interrupted": "core.errors",
}
_APART = ("open",)  # `from vesalius import *` must not hide Python's own `open`
__all__ = [
    "Adjunct",
    "Advice",
    "AnnotationProject",
    "Archive",
    "Asked",
    "BudgetError",
    "BundleError",
    "Cards",
    "Case",
    "Change",
    "Changes",
    "ChatServer",
    "Cleaning",
    "Clicking",
    "ClusterError",
    "CodeError",
    "Cohort",
    "Comparison",
    "Completed",
    "Compression",
    "Consensus",
    "DataError",
    "Degraded",
    "Deidentified",
    "Design",
    "Explanations",
    "Exported",
    "Features",
    "Fetched",
    "FewShot",
    "FormatError",
    "Found",
    "Gathered",
    "GeometryError",
    "Guidance",
    "Harmonised",
    "Image",
    "Indexed",
    "Interrupted",
    "Labelled",
    "LabellingCurve",
    "LeakError",
    "LearningRates",
    "LimitReached",
    "Meshes",
    "MismatchError",
    "MissingExtra",
    "MissingProgram",
    "Morphed",
    "NoImages",
    "NotAnImage",
    "OutOfFold",
    "OutputError",
    "PlanError",
    "Predictions",
    "Prompted",
    "PromptedFigure",
    "RegisterError",
    "Reply",
    "Run",
    "Scaling",
    "Search",
    "SelfTest",
    "ShapeModel",
    "Shaped",
    "SourceError",
    "Stroke",
    "Suggested",
    "Transfer",
    "UnknownName",
    "UnsafeError",
    "UsageError",
    "VesaliusError",
    "__version__",
    "advise",
    "annotate",
    "ask",
    "calibrate",
    "card",
    "change",
    "clean",
    "cohort_from_dataset",
    "compare",
    "complete",
    "compress",
    "consensus",
    "degrade",
    "deidentify",
    "demo",
    "design",
    "evaluate",
    "explain",
    "export",
    "features",
    "fetch",
    "few_shot",
    "find",
    "find_lr",
    "fit",
    "gather",
    "harmonise",
    "image",
    "import_model",
    "index",
    "inspect",
    "label",
    "limits",
    "mesh",
    "morph",
    "phantom",
    "predict",
    "pretrain",
    "prompt",
    "read",
    "register",
    "scale",
    "search",
    "selftest",
    "shape",
    "simulate_labelling",
    "suggest",
    "torch_dataset",
    "transfer",
    "write",
]

if TYPE_CHECKING:
    from vesalius.adjunct.asking import Adjunct as Adjunct
    from vesalius.adjunct.server import ChatServer as ChatServer
    from vesalius.compress.report import Compression as Compression
    from vesalius.core.case import Case as Case
    from vesalius.core.cohort import Cohort as Cohort
    from vesalius.core.errors import BudgetError as BudgetError
    from vesalius.core.errors import BundleError as BundleError
    from vesalius.core.errors import ClusterError as ClusterError
    from vesalius.core.errors import CodeError as CodeError
    from vesalius.core.errors import DataError as DataError
    from vesalius.core.errors import FormatError as FormatError
    from vesalius.core.errors import GeometryError as GeometryError
    from vesalius.core.errors import Interrupted as Interrupted
    from vesalius.core.errors import LeakError as LeakError
    from vesalius.core.errors import LimitReached as LimitReached
    from vesalius.core.errors import MismatchError as MismatchError
    from vesalius.core.errors import MissingExtra as MissingExtra
    from vesalius.core.errors import MissingProgram as MissingProgram
    from vesalius.core.errors import NoImages as NoImages
    from vesalius.core.errors import NotAnImage as NotAnImage
    from vesalius.core.errors import OutputError as OutputError
    from vesalius.core.errors import PlanError as PlanError
    from vesalius.core.errors import RegisterError as RegisterError
    from vesalius.core.errors import SourceError as SourceError
    from vesalius.core.errors import UnknownName as UnknownName
    from vesalius.core.errors import UnsafeError as UnsafeError
    from vesalius.core.errors import UsageError as UsageError
    from vesalius.core.errors import VesaliusError as VesaliusError
    from vesalius.core.guidance import Guidance as Guidance
    from vesalius.core.guidance import Stroke as Stroke
    from vesalius.core.image import Image as Image
    from vesalius.exports.contract import Exported as Exported
    from vesalius.infer.clicking import Clicking as Clicking
    from vesalius.infer.selftest.checking import SelfTest as SelfTest
    from vesalius.questions.answered import Reply as Reply
    from vesalius.run.archive.told import Archive as Archive
    from vesalius.run.finished import Run as Run
    from vesalius.run.labelling_curve import LabellingCurve as LabellingCurve
    from vesalius.run.out_of_fold import OutOfFold as OutOfFold
    from vesalius.run.predictions import Predictions as Predictions
    from vesalius.run.scaling.result import Scaling as Scaling
    from vesalius.shapes.models.model import ShapeModel as ShapeModel
    from vesalius.verbs.advise import Advice as Advice
    from vesalius.verbs.advise import advise as advise
    from vesalius.verbs.annotate import AnnotationProject as AnnotationProject
    from vesalius.verbs.annotate import annotate as annotate
    from vesalius.verbs.ask import Asked as Asked
    from vesalius.verbs.ask import ask as ask
    from vesalius.verbs.calibrate import calibrate as calibrate
    from vesalius.verbs.card import Cards as Cards
    from vesalius.verbs.card import card as card
    from vesalius.verbs.change import Change as Change
    from vesalius.verbs.change import Changes as Changes
    from vesalius.verbs.change import change as change
    from vesalius.verbs.clean import Cleaning as Cleaning
    from vesalius.verbs.clean import clean as clean
    from vesalius.verbs.cohort_from_dataset import cohort_from_dataset as cohort_from_dataset
    from vesalius.verbs.compare import Comparison as Comparison
    from vesalius.verbs.compare import compare as compare
    from vesalius.verbs.complete import Completed as Completed
    from vesalius.verbs.complete import complete as complete
    from vesalius.verbs.compress import compress as compress
    from vesalius.verbs.consensus import Consensus as Consensus
    from vesalius.verbs.consensus import consensus as consensus
    from vesalius.verbs.degrade import Degraded as Degraded
    from vesalius.verbs.degrade import degrade as degrade
    from vesalius.verbs.deidentify import Deidentified as Deidentified
    from vesalius.verbs.deidentify import deidentify as deidentify
    from vesalius.verbs.demo import demo as demo
    from vesalius.verbs.design import Design as Design
    from vesalius.verbs.design import design as design
    from vesalius.verbs.evaluate import evaluate as evaluate
    from vesalius.verbs.explain import Explanations as Explanations
    from vesalius.verbs.explain import explain as explain
    from vesalius.verbs.export import export as export
    from vesalius.verbs.features import Features as Features
    from vesalius.verbs.features import features as features
    from vesalius.verbs.fetch import Fetched as Fetched
    from vesalius.verbs.fetch import fetch as fetch
    from vesalius.verbs.few_shot import FewShot as FewShot
    from vesalius.verbs.few_shot import few_shot as few_shot
    from vesalius.verbs.find import Found as Found
    from vesalius.verbs.find import find as find
    from vesalius.verbs.find_lr import LearningRates as LearningRates
    from vesalius.verbs.find_lr import find_lr as find_lr
    from vesalius.verbs.fit import fit as fit
    from vesalius.verbs.gather import Gathered as Gathered
    from vesalius.verbs.gather import gather as gather
    from vesalius.verbs.harmonise import Harmonised as Harmonised
    from vesalius.verbs.harmonise import harmonise as harmonise
    from vesalius.verbs.image import image as image
    from vesalius.verbs.import_model import import_model as import_model
    from vesalius.verbs.index import Indexed as Indexed
    from vesalius.verbs.index import index as index
    from vesalius.verbs.inspect import inspect as inspect
    from vesalius.verbs.label import Labelled as Labelled
    from vesalius.verbs.label import label as label
    from vesalius.verbs.limits import limits as limits
    from vesalius.verbs.mesh import Meshes as Meshes
    from vesalius.verbs.mesh import mesh as mesh
    from vesalius.verbs.morph import Morphed as Morphed
    from vesalius.verbs.morph import morph as morph
    from vesalius.verbs.open import open as open
    from vesalius.verbs.phantom import phantom as phantom
    from vesalius.verbs.predict import predict as predict
    from vesalius.verbs.pretrain import pretrain as pretrain
    from vesalius.verbs.prompt import Prompted as Prompted
    from vesalius.verbs.prompt import PromptedFigure as PromptedFigure
    from vesalius.verbs.prompt import prompt as prompt
    from vesalius.verbs.read import read as read
    from vesalius.verbs.register import register as register
    from vesalius.verbs.scale import scale as scale
    from vesalius.verbs.search import Search as Search
    from vesalius.verbs.search import search as search
    from vesalius.verbs.selftest import selftest as selftest
    from vesalius.verbs.shape import Shaped as Shaped
    from vesalius.verbs.shape import shape as shape
    from vesalius.verbs.simulate_labelling import simulate_labelling as simulate_labelling
    from vesalius.verbs.suggest import Suggested as Suggested
    from vesalius.verbs.suggest import suggest as suggest
    from vesalius.verbs.torch_dataset import torch_dataset as torch_dataset
    from vesalius.verbs.transfer import Transfer as Transfer
    from vesalius.verbs.transfer import transfer as transfer
    from vesalius.verbs.write import write as write


class _Package(ModuleType):
    """The package with its verbs found on first use; a room of a verb's name (`evaluate/`) does not hide it."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'vesalius' has no attribute '{name}'")
        value = getattr(importlib.import_module(f"vesalius.{_HOME[name]}"), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*__all__, *_APART})  # whatever else is loaded stays within reach by its name


sys.modules[__name__].__class__ = _Package
