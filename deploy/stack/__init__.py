"""What the demo and the system tests are built from: real servers, started and stopped exactly."""
