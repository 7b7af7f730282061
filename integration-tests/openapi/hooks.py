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


# A null stands for "not given" anywhere (proto3 JSON). The document does not say so at each field, and the platform takes it.
@schemathesis.hook
def filter_case(context, case):
    return not holds_null(case.body)
