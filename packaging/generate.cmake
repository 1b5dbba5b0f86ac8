# What the program prints of itself, from its tables: the manual pages and the completions.
#   cmake -DTREEMILL=PROGRAM -DOUTPUT=DIRECTORY -P generate.cmake
# makes OUTPUT/man1/*.1 and OUTPUT/completions/{treemill.bash,_treemill,treemill.fish}. What was
# there before is gone: a verb that is no more leaves no page.
cmake_minimum_required(VERSION 3.25)

function(print_to file)
    execute_process(COMMAND ${TREEMILL} ${ARGN} OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${OUTPUT}/man1 ${OUTPUT}/completions)
file(MAKE_DIRECTORY ${OUTPUT}/man1 ${OUTPUT}/completions)

execute_process(COMMAND ${TREEMILL} help --table OUTPUT_VARIABLE table COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "verb\t[a-z0-9-]+" verbs "${table}")
if(NOT verbs)
    message(FATAL_ERROR "${TREEMILL} help --table names no verb")
endif()
print_to(${OUTPUT}/man1/treemill.1 man)
foreach(line ${verbs})
    string(REPLACE "verb\t" "" verb ${line})
    print_to(${OUTPUT}/man1/treemill-${verb}.1 man ${verb})
endforeach()

print_to(${OUTPUT}/completions/treemill.bash completion bash)
print_to(${OUTPUT}/completions/_treemill completion zsh)
print_to(${OUTPUT}/completions/treemill.fish completion fish)
