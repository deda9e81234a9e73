"""What a stranger runs: plain MLflow, three libraries, no code of this project on the path.

Grades the pictures of a file with the model behind an alias; prints the answer as JSON.
"""

import json
import sys

import numpy as np

uri, address, pictures = sys.argv[1:]

import mlflow  # noqa: E402

mlflow.set_tracking_uri(uri)
mlflow.set_registry_uri(uri)
model = mlflow.pyfunc.load_model(address)
batch = np.load(pictures)["pictures"]
answer = model.predict(batch)
cut = model.predict(batch, params={"crops": True})
print(
    json.dumps(
        {
            "answer": {name: column.tolist() for name, column in answer.items()},
            "cut": len(cut["score"]),
            "example": list(model.input_example.shape),
            "inputs": str(model.metadata.signature.inputs),
            "outputs": [column.name for column in model.metadata.signature.outputs.inputs],
            "ours": sorted(
                name for name in sys.modules if name.split(".")[0] in ("amgs", "curation", "models")
            ),
            "torch": "torch" in sys.modules,
            "path": sys.path,
        }
    )
)
