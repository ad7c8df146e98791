"""The reference engine: a small, real backend for the agents of many users.

    ExecutionEngineFactory makes a UserExecutionEngine for a UserExecutionContext.
    The engine runs Agents, which use the tools, memory and database sessions of their
    own user. Their events reach that user through the WebSocketManager.

There is no global state: clock, id source, database, event sink, registry, tools,
model and limits are arguments, so that two factories can live side by side.
"""

from .agents import (
    Agent,
    AgentExecutionResult,
    AgentRegistry,
    AgentRequest,
    AgentServices,
    Message,
    Model,
    RunRecord,
)
from .context import UserExecutionContext, current_context
from .errors import (
    CleanupError,
    ClosedError,
    DuplicateRunError,
    EngineError,
    LifecycleError,
    LimitError,
    OwnershipError,
    SerializationError,
    UnknownAgentError,
)
from .events import Event, EventEmitter, EventSink, EventType
from .factory import ExecutionEngineFactory, FactoryMetrics
from .limits import Limits
from .memory import UserMemory, WriteLocks
from .pipeline import (
    ExecutionStrategy,
    PipelineResult,
    PipelineStep,
    PipelineStepConfig,
)
from .sessions import DatabaseSessionManager
from .storage import create_schema
from .tools import (
    RunTools,
    Tool,
    ToolCatalogue,
    ToolDispatcher,
    ToolExecutionResult,
    ToolStatistics,
)
from .user_engine import UserExecutionEngine
from .websocket import (
    WebSocketManager,
    WebSocketStatistics,
    create_test_websocket_manager,
)

__all__ = [
    "Agent",
    "AgentExecutionResult",
    "AgentRegistry",
    "AgentRequest",
    "AgentServices",
    "CleanupError",
    "ClosedError",
    "DatabaseSessionManager",
    "DuplicateRunError",
    "EngineError",
    "Event",
    "EventEmitter",
    "EventSink",
    "EventType",
    "ExecutionEngineFactory",
    "ExecutionStrategy",
    "FactoryMetrics",
    "LifecycleError",
    "LimitError",
    "Limits",
    "Message",
    "Model",
    "OwnershipError",
    "PipelineResult",
    "PipelineStep",
    "PipelineStepConfig",
    "RunRecord",
    "RunTools",
    "SerializationError",
    "Tool",
    "ToolCatalogue",
    "ToolDispatcher",
    "ToolExecutionResult",
    "ToolStatistics",
    "UnknownAgentError",
    "UserExecutionContext",
    "UserExecutionEngine",
    "UserMemory",
    "WebSocketManager",
    "WebSocketStatistics",
    "WriteLocks",
    "create_schema",
    "create_test_websocket_manager",
    "current_context",
]
