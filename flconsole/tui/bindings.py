"""The registry of actions as Textual's bindings."""

from textual.binding import Binding, BindingType

from flconsole.tui.actions import Action, Place, actions_of


def bindings(*places: Place) -> list[BindingType]:
    """The bindings of a widget whose keys work in those places."""
    return [_binding(action) for place in places for action in actions_of(place)]


def _binding(action: Action) -> Binding:
    # what changes the run is the screen's affair, whichever pane has the key
    method = f"screen.{action.method}" if action.changes else action.method
    return Binding(
        ",".join(action.keys),
        method,
        action.title,
        show=action.footer,
        id=action.name,
        tooltip=action.help,
    )
