"""What the vendor's generator of Python clients makes: names of methods, models of answers."""

import re


def method(client, operation):
    """The method that a client has for an operation."""
    group, name = (snake(part) for part in operation.split("_"))
    operations = getattr(client, group)
    return getattr(operations, f"begin_{name}", None) or getattr(operations, name)


def options(asked):
    """What an ask wants in its address: by its place what must be there, by name what may."""
    query = asked["query"].items()
    wanted = [value for name, value in query if not name.startswith("$")]
    more = {name[1:]: value for name, value in query if name.startswith("$")}
    return wanted, more | ({"expand": asked["expand"]} if asked["expand"] else {})


def snake(name):
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def wire(value):
    """A model of the client as the contract's JSON: members by name, properties apart."""
    if isinstance(value, list):
        return [wire(one) for one in value]
    if isinstance(value, dict):
        return {key: wire(one) for key, one in value.items()}
    if not hasattr(value, "_attribute_map"):
        return value
    members, laid = {}, set()
    for attribute, about in value._attribute_map.items():
        *path, name = about["key"].split(".")
        place = members
        for step in path:
            place = place.setdefault(step, {})
        place[name] = wire(getattr(value, attribute))
        laid.update([tuple(path)] if len(path) > 1 else [])
    for above, name in laid:
        # What a property has is laid flat too, and is there if anything of it is.
        if not any(members[above][name].values()):
            members[above][name] = None
    return members


def rows(answer):
    """The rows of a list that the contract does not page, so that the client leaves it whole."""
    if isinstance(answer, dict) and isinstance(answer.get("value"), list):
        assert not answer.get("nextLink"), f"what is not paged has no further page: {answer}"
        return answer["value"]
    return answer
