"""What schemathesis must know of this platform: how to sign in."""
import os

import requests
import schemathesis

URL = os.environ["SOUK_GATEWAY_URL"]


def post(path, body, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(URL + path, json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()


# The tests log out, too: a new session every few seconds.
@schemathesis.auth(refresh_interval=5)
class Administrator:
    def get(self, case, context):
        return post("/v1/sessions", {"email": os.environ["SOUK_ADMIN_EMAIL"],
                                     "password": os.environ["SOUK_ADMIN_PASSWORD"]})["accessToken"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


def holds_null(value):
    if isinstance(value, dict):
        return any(map(holds_null, value.values()))
    if isinstance(value, list):
        return any(map(holds_null, value))
    return value is None


def described(case):
    """What the document says of this operation's body and of its query."""
    operation = case.operation.schema.raw_schema["paths"][case.operation.path][case.operation.method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    query = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
    return content.get("application/json", {}).get("schema", {}), {"properties": query}


def means_something(value, schema, document):
    """Whether proto3 JSON takes a value that the document has no word for: a null, an enum's number, a number as a string or the other way round."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (is_number and ("enum" in schema or schema.get("format") in ("int64", "uint64"))):
        return True
    if isinstance(value, str) and schema.get("type") in ("integer", "number"):
        return True
    if isinstance(value, dict):
        of_others = schema.get("additionalProperties", {})
        return any(means_something(v, schema.get("properties", {}).get(k, of_others), document) for k, v in value.items())
    if isinstance(value, list):
        return any(means_something(v, schema.get("items", {}), document) for v in value)
    return False


# They are for clients of proto3 JSON; the document shows one way to say a thing.
@schemathesis.hook
def filter_case(context, case):
    document = case.operation.schema.raw_schema
    body, query = described(case)
    # There all is text.
    asked = {name: int(value) if str(value).isdecimal() else value for name, value in (case.query or {}).items()}
    return not means_something(case.body, body, document) and not means_something(asked, query, document)


# Nobody guesses a resource's tag: all changes would end there.
@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers.pop("If-Match", None)
