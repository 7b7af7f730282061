"""Makes or renews the database's users, so that passwords and rights are what they should be. From standard input, since a command line
would show passwords to whoever lists processes:

    ADMIN_URI
    administrator NAME PASSWORD
    user NAME PASSWORD DATABASE         can read and write that database and nothing else
    drop DATABASE
"""
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

USER_EXISTS = (51003,)


def ensure_user(database, name, password, role):
    try:
        database.command("createUser", name, pwd=password, roles=[role])
    except OperationFailure as error:
        if error.code not in USER_EXISTS:
            raise
        database.command("updateUser", name, pwd=password, roles=[role])


def main():
    uri, *lines = sys.stdin.read().splitlines()
    try:
        client = MongoClient(uri, serverSelectionTimeoutMS=30000)
        for line in lines:
            match line.split():
                case ["administrator", name, password]:
                    ensure_user(client.admin, name, password, {"role": "root", "db": "admin"})
                case ["user", name, password, database]:
                    ensure_user(client[database], name, password, {"role": "readWrite", "db": database})
                case ["drop", database]:
                    client.drop_database(database)
    except PyMongoError as error:
        sys.exit(f"The database's users could not be made: {error}")


if __name__ == "__main__":
    main()
