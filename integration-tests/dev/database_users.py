"""Makes or renews the database's users: ADMIN_URI on the first line of standard input, then NAME=PASSWORD lines (a command line would show
them to whoever lists processes).

`admin` becomes the administrator; every other name a user who can read and write the database souk_<name> and nothing else.
"""
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

USER_EXISTS = (51003,)


def ensure_user(client, name, password):
    if name == "admin":
        database, role = client["admin"], {"role": "root", "db": "admin"}
    else:
        database, role = client[f"souk_{name}"], {"role": "readWrite", "db": f"souk_{name}"}
    try:
        database.command("createUser", name, pwd=password, roles=[role])
    except OperationFailure as error:
        if error.code not in USER_EXISTS:
            raise
        database.command("updateUser", name, pwd=password, roles=[role])


def main():
    uri, *users = sys.stdin.read().split()
    try:
        client = MongoClient(uri, serverSelectionTimeoutMS=30000)
        for user in users:
            name, _, password = user.partition("=")
            ensure_user(client, name, password)
    except PyMongoError as error:
        sys.exit(f"The database's users could not be made: {error}")


if __name__ == "__main__":
    main()
